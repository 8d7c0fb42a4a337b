use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal::{Content, Credentials};
use notafter::sim::receivers::wecom::Wecom;
use notafter::sim::receivers::{Answer, Receiver};
use serde_json::json;

use super::{Channel, Code, Far, Want};

pub(super) fn entries() -> Vec<Channel> {
    vec![Channel {
        settings: "url = \"{base}/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa\"\n",
        secrets: &["693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"],
        budget: 4500,
        hostile: "＜!channel＞ & ＜/b＞ ［x］(http://e) ＊a＊ | ＜at id=all＞＜/at＞ \"q\"",
        codes: codes(),
        ..Channel::new("wecom", Far::Http(robot))
    }]
}

fn robot() -> Arc<dyn Receiver> {
    Arc::new(Wecom::new("693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"))
}

fn error(code: i64, words: &str) -> Answer {
    Answer::error(200, &json!({"errcode": code, "errmsg": words}))
}

fn codes() -> Vec<Code> {
    let minute = Want::RetryAfter(Duration::from_mins(1));
    let code = |name, code, want| Code::new(name, error(code, "words of the vendor, hint: [1]"), want);
    vec![
        code("45009", 45_009, minute),
        code("-1", -1, Want::Retry),
        code("45033", 45_033, Want::Retry),
        code("93000", 93_000, Want::Refused(Credentials)),
        code("40008", 40_008, Want::Refused(Content)),
        Code::new("40058", error(40_058, "markdown.content exceed max length 4096"), Want::Refused(Content)),
        code("44004", 44_004, Want::Refused(Content)),
        code("47001", 47_001, Want::Refused(Content)),
        code("unknown", 99_999, Want::Refused(Content)),
        Code::new("unknown, of the rate", error(99_998, "api freq out of limit"), minute),
        Code::new("no code", Answer::error(200, &json!({"errmsg": "ok"})), Want::Retry),
    ]
}
