use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal::{Content, Credentials};
use notafter::sim::receivers::feishu::Feishu;
use notafter::sim::receivers::{Answer, Receiver, Request};
use serde_json::json;

use super::{Channel, Code, Far, Want};

pub(super) fn entries() -> Vec<Channel> {
    let plain = Channel {
        settings: "url = \"{base}/open-apis/bot/v2/hook/5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\"\n\
                   keyword = \"证书告警\"\n",
        secrets: &["5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"],
        codes: codes(),
        ..Channel::new("feishu", Far::Http(keyword))
    };
    let signed = Channel {
        name: "feishu-signed",
        settings: "url = \"{base}/open-apis/bot/v2/hook/5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\"\n\
                   secret = \"nA8Zk2QmT5vXcR7yLpW0sE\"\n",
        secrets: &["5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "nA8Zk2QmT5vXcR7yLpW0sE"],
        fresh: stamp,
        ..Channel::new("feishu", Far::Http(signature))
    };
    vec![plain, signed]
}

fn keyword() -> Arc<dyn Receiver> {
    Arc::new(Feishu::new("5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9").with_keyword("证书告警"))
}

fn signature() -> Arc<dyn Receiver> {
    Arc::new(Feishu::new("5f1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9").signed("nA8Zk2QmT5vXcR7yLpW0sE"))
}

fn stamp(request: &Request) -> Vec<String> {
    let body = request.json().unwrap_or_default();
    ["timestamp", "sign"].into_iter().map(|name| body[name].as_str().unwrap_or_default().to_owned()).collect()
}

fn error(status: u16, code: i64) -> Answer {
    Answer::error(status, &json!({"code": code, "data": {}, "msg": "words of the vendor"}))
}

fn codes() -> Vec<Code> {
    let minute = Want::RetryAfter(Duration::from_mins(1));
    let hinted = Want::RetryAfter(Duration::from_secs(17));
    let gateway = |status, code| error(status, code).with("x-ogw-ratelimit-reset", "17");
    let code = |name, code, want| Code::new(name, error(200, code), want);
    let old = |code: i64| Answer::error(200, &json!({"StatusCode": code, "StatusMessage": "words"}));
    vec![
        code("11232", 11_232, minute),
        Code::new("99991400 with 400", gateway(400, 99_991_400), hinted),
        Code::new("99991400 with 429", gateway(429, 99_991_400), hinted),
        Code::new("99991400 with no hint", error(400, 99_991_400), minute),
        Code::new("429 of the gateway", gateway(429, 0), hinted),
        code("2200", 2200, Want::Retry),
        code("19021", 19_021, Want::Refused(Credentials)),
        code("19001", 19_001, Want::Refused(Credentials)),
        code("19022", 19_022, Want::Refused(Credentials)),
        code("19024", 19_024, Want::Refused(Credentials)),
        code("19002", 19_002, Want::Refused(Content)),
        Code::new("9499", error(400, 9499), Want::Refused(Content)),
        code("11310", 11_310, Want::Refused(Content)),
        code("19036", 19_036, Want::Refused(Content)),
        code("unknown", 77_777, Want::Refused(Content)),
        Code::new("an old bot delivers", old(0), Want::Delivered),
        Code::new("an old bot refuses", old(19_001), Want::Refused(Credentials)),
        Code::new("success with status 400", error(400, 0), Want::Refused(Content)),
        Code::new("a code with status 500", error(500, 19_001), Want::Retry),
        Code::new("no code", Answer::error(200, &json!({"success": true})), Want::Retry),
    ]
}
