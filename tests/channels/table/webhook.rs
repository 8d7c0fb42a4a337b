use std::sync::Arc;

use notafter::notifier::Refusal;
use notafter::sim::receivers::webhook::Webhook;
use notafter::sim::receivers::{Answer, Request, TEXT};

use super::{Channel, Code, Far, Want};

const NEW: &str = "whsec_y5menHpXlo+1GnGItpjxMs5W94ZMXVflY+CzH7XPCRE=";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "Bearer planted-bearer-token";

/// Whatever is said with 2xx counts: nobody looks at what a receiver says beside it.
const FAULTS: &[(&str, Want)] = &[
    ("200 with HTML", Want::Delivered),
    ("200 empty", Want::Delivered),
    ("204", Want::Delivered),
    ("endless", Want::Delivered),
];

pub(super) fn entries() -> Vec<Channel> {
    vec![signed(), rotated(), alertmanager()]
}

fn signed() -> Channel {
    Channel {
        settings: "url = \"{base}/planted-path?key=plantedQueryKey\"\n\
                   secret = \"whsec_y5menHpXlo+1GnGItpjxMs5W94ZMXVflY+CzH7XPCRE=\"\n\
                   headers = { Authorization = \"Bearer planted-bearer-token\" }\n",
        secrets: &[
            "planted-path",
            "plantedQueryKey",
            NEW,
            "y5menHpXlo+1GnGItpjxMs5W94ZMXVflY+CzH7XPCRE=",
            "planted-bearer-token",
        ],
        budget: 200_000,
        most_requests: 1,
        faults: FAULTS,
        codes: codes(),
        same: id,
        fresh: stamp,
        ..Channel::new(
            "webhook",
            Far::Http(|| Arc::new(Webhook::notafter(&[NEW]).wants("authorization", TOKEN))),
        )
    }
}

fn codes() -> Vec<Code> {
    let code = |status, want| Code::new("a status", Answer::refused(status, TEXT, "no"), want);
    vec![
        code(201, Want::Delivered),
        code(402, Want::Refused(Refusal::Content)),
        code(410, Want::Refused(Refusal::Gone)),
        code(413, Want::Refused(Refusal::Content)),
        code(425, Want::Retry),
        code(599, Want::Retry),
    ]
}

/// The receiver still holds the old secret only.
fn rotated() -> Channel {
    Channel {
        name: "webhook-rotated",
        settings: "url = \"{base}/planted-path\"\n\
                   secret = [\"whsec_y5menHpXlo+1GnGItpjxMs5W94ZMXVflY+CzH7XPCRE=\", \
                   \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n",
        secrets: &["planted-path", NEW, OLD],
        budget: 200_000,
        most_requests: 1,
        faults: FAULTS,
        same: id,
        fresh: stamp,
        ..Channel::new("webhook", Far::Http(|| Arc::new(Webhook::notafter(&[OLD]))))
    }
}

fn alertmanager() -> Channel {
    Channel {
        name: "webhook-alertmanager",
        settings: "url = \"{base}/planted-path\"\nformat = \"alertmanager\"\n\
                   secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n",
        secrets: &["planted-path", OLD],
        budget: 600_000,
        most_requests: 1,
        faults: FAULTS,
        same: id,
        fresh: stamp,
        ..Channel::new("webhook", Far::Http(|| Arc::new(Webhook::alertmanager(&[OLD]))))
    }
}

fn id(request: &Request) -> Vec<String> {
    request.header("webhook-id").map(str::to_owned).into_iter().collect()
}

fn stamp(request: &Request) -> Vec<String> {
    let header = |name| request.header(name).unwrap_or_default().to_owned();
    vec![header("webhook-timestamp"), header("webhook-signature")]
}
