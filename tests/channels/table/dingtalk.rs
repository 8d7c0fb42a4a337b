use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal::{Content, Credentials, Target};
use notafter::sim::receivers::dingtalk::Dingtalk;
use notafter::sim::receivers::{Answer, Receiver, Request};
use serde_json::json;

use super::{Channel, Code, Far, Want};

pub(super) fn entries() -> Vec<Channel> {
    let plain = Channel {
        settings: "url = \"{base}/robot/send?access_token=0a1b2c3d4e5f60718293\"\nkeyword = \"证书告警\"\n",
        secrets: &["0a1b2c3d4e5f60718293"],
        hostile: "<！channel> & </b> ［x］(http://e) *a* | <at id=all></at> \"q\"",
        codes: codes(),
        ..Channel::new("dingtalk", Far::Http(keyword))
    };
    let signed = Channel {
        name: "dingtalk-signed",
        settings: "url = \"{base}/robot/send?access_token=0a1b2c3d4e5f60718293\"\n\
                   secret = \"SEC1f9f6a3c1d5b8e7f0a2b4c6d8e0f1a3b5c7d9e1f\"\n",
        secrets: &["0a1b2c3d4e5f60718293", "SEC1f9f6a3c1d5b8e7f0a2b4c6d8e0f1a3b5c7d9e1f"],
        hostile: plain.hostile,
        codes: vec![
            Code::new("310000 late", error(310_000, "invalid timestamp"), Want::Refused(Credentials)),
            Code::once("310000 late, then not", error(310_000, "invalid timestamp"), Want::Delivered),
            Code::once("310000 in Chinese", error(310_000, "机器人发送签名过期"), Want::Delivered),
            Code::once("310000 of the secret", error(310_000, "sign not match"), Want::Refused(Credentials)),
        ],
        fresh: stamp,
        ..Channel::new("dingtalk", Far::Http(signature))
    };
    vec![plain, signed]
}

fn keyword() -> Arc<dyn Receiver> {
    Arc::new(Dingtalk::new("0a1b2c3d4e5f60718293").with_keyword("证书告警"))
}

fn signature() -> Arc<dyn Receiver> {
    Arc::new(Dingtalk::new("0a1b2c3d4e5f60718293").signed("SEC1f9f6a3c1d5b8e7f0a2b4c6d8e0f1a3b5c7d9e1f"))
}

fn stamp(request: &Request) -> Vec<String> {
    ["timestamp", "sign"].into_iter().map(|name| request.parameter(name).unwrap_or_default()).collect()
}

fn error(code: i64, words: &str) -> Answer {
    Answer::error(200, &json!({"errcode": code, "errmsg": words}))
}

fn codes() -> Vec<Code> {
    let mute = Want::RetryAfter(Duration::from_mins(10));
    let code = |name, code, want| Code::new(name, error(code, "words of the vendor"), want);
    vec![
        Code::new("-1", error(-1, "system busy"), Want::RetryAfter(Duration::from_secs(30))),
        Code::new("130101", error(130_101, "send too fast, exceed 20 times per minute"), mute),
        code("410100", 410_100, mute),
        code("310000", 310_000, Want::Refused(Credentials)),
        Code::new(
            "310000 late, without a secret",
            error(310_000, "invalid timestamp"),
            Want::Refused(Credentials),
        ),
        code("300001", 300_001, Want::Refused(Credentials)),
        code("300005", 300_005, Want::Refused(Credentials)),
        code("400101", 400_101, Want::Refused(Credentials)),
        code("400013", 400_013, Want::Refused(Target)),
        code("400102", 400_102, Want::Refused(Target)),
        code("400106", 400_106, Want::Refused(Target)),
        code("40035", 40_035, Want::Refused(Content)),
        code("43002", 43_002, Want::Refused(Content)),
        code("43004", 43_004, Want::Refused(Content)),
        code("400105", 400_105, Want::Refused(Content)),
        Code::new("460101", error(460_101, "message too long, exceed 20000 bytes"), Want::Refused(Content)),
        code("101002", 101_002, Want::Refused(Content)),
        code("430101", 430_101, Want::Refused(Content)),
        code("430104", 430_104, Want::Refused(Content)),
        code("unknown", 999_999, Want::Refused(Content)),
        Code::new("unknown, of the rate", error(999_998, "触发限流"), mute),
        Code::new(
            "a code as text",
            Answer::error(200, &json!({"errcode": "300001"})),
            Want::Refused(Credentials),
        ),
        Code::new("no code", Answer::error(200, &json!({"success": true})), Want::Retry),
    ]
}
