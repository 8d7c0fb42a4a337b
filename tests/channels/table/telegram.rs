use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal::{Content, Credentials, Target};
use notafter::sim::receivers::telegram::Telegram;
use notafter::sim::receivers::{Answer, Receiver};
use serde_json::{Value, json};

use super::{Channel, Code, Far, Want};

pub(super) fn entries() -> Vec<Channel> {
    vec![Channel {
        settings: "token = \"123456789:AAExampleToken-of_a_bot0123456789\"\nchat_id = -1001234567890\n\
                   thread_id = 7\nbase_url = \"{base}\"\n",
        secrets: &["123456789:AAExampleToken-of_a_bot0123456789", "AAExampleToken-of_a_bot0123456789"],
        budget: 24_000,
        codes: codes(),
        ..Channel::new("telegram", Far::Http(bot))
    }]
}

fn bot() -> Arc<dyn Receiver> {
    let bot = Telegram::new("123456789:AAExampleToken-of_a_bot0123456789", -1_001_234_567_890);
    Arc::new(bot.with_thread(7).moved(-4_242, -1_001_234_567_890))
}

fn error(status: u16, words: &str, parameters: Value) -> Answer {
    let mut answer = json!({"ok": false, "error_code": status, "description": words});
    if !parameters.is_null() {
        answer["parameters"] = parameters;
    }
    Answer::error(status, &answer)
}

fn codes() -> Vec<Code> {
    let code = |name, status, words: &str, want| Code::new(name, error(status, words, Value::Null), want);
    let moved = || {
        error(
            400,
            "Bad Request: group chat was upgraded",
            json!({"migrate_to_chat_id": -1_001_234_567_890_i64}),
        )
    };
    let entities = "Bad Request: can't parse entities: Unsupported start tag";
    let pause = error(429, "Too Many Requests: retry after 35", json!({"retry_after": 35}));
    vec![
        Code::new("429", pause, Want::RetryAfter(Duration::from_secs(35))),
        Code::once("moved", moved(), Want::Delivered),
        Code::new("moved for ever", moved(), Want::Refused(Target)),
        Code::once("markup", error(400, entities, Value::Null), Want::Delivered),
        code("markup for ever", 400, entities, Want::Refused(Content)),
        code("too long", 400, "Bad Request: message is too long", Want::Refused(Content)),
        code("empty", 400, "Bad Request: message text is empty", Want::Refused(Content)),
        code("chat not found", 400, "Bad Request: chat not found", Want::Refused(Target)),
        code("no topic", 400, "Bad Request: message thread not found", Want::Refused(Target)),
        code("kicked", 403, "Forbidden: bot was kicked from the group chat", Want::Refused(Target)),
        code("blocked", 403, "Forbidden: bot was blocked by the user", Want::Refused(Target)),
        code("401", 401, "Unauthorized", Want::Refused(Credentials)),
        code("404", 404, "Not Found", Want::Refused(Credentials)),
        code("500", 500, "Internal Server Error", Want::Retry),
        Code::new(
            "an error with status 200",
            Answer::error(200, &json!({"ok": false, "error_code": 403, "description": "Forbidden"})),
            Want::Refused(Target),
        ),
    ]
}
