use std::sync::Arc;

use notafter::notifier::Refusal;
use notafter::sim::receivers::Answer;
use notafter::sim::receivers::alertmanager::Alertmanager;
use serde_json::json;

use super::{Channel, Code, Far, Want};

const BASIC: &str = "Basic bm90YWZ0ZXI6UExBTlRFRC1QQVNTV09SRC00NzEx";

pub(super) fn entries() -> Vec<Channel> {
    let usual = |name, settings, secrets, far| Channel {
        name,
        settings,
        secrets,
        // No limit is known; a request has 200 alerts at most.
        budget: 530_000,
        most_requests: 20,
        faults: &[("200 empty", Want::Delivered)],
        ..Channel::new("alertmanager", far)
    };
    let basic = usual(
        "alertmanager",
        "urls = [\"{base}\"]\nusername = \"notafter\"\npassword = \"PLANTED-PASSWORD-4711\"\n",
        &["PLANTED-PASSWORD-4711"],
        Far::Http(|| Arc::new(Alertmanager::with_authorization(BASIC))),
    );
    let bearer = usual(
        "alertmanager-bearer",
        "urls = [\"{base}/\"]\nbearer_token = \"PLANTED-TOKEN-4711\"\n",
        &["PLANTED-TOKEN-4711"],
        Far::Http(|| Arc::new(Alertmanager::with_authorization("Bearer PLANTED-TOKEN-4711"))),
    );
    vec![Channel { codes: codes(), ..basic }, Channel { keeps_bodies: false, ..bearer }]
}

fn codes() -> Vec<Code> {
    let error = |status, code| Answer::error(status, &json!({ "code": code, "message": "not like this" }));
    let bad = Answer::error(400, &json!("invalid label set: invalid name"));
    vec![
        Code::new("415", error(415, 415), Want::Refused(Refusal::Content)),
        Code::new("422", error(422, 602), Want::Refused(Refusal::Content)),
        Code::new("400", bad.clone(), Want::Refused(Refusal::Content)),
        Code::once("400 for the batch, none alone", bad, Want::Delivered),
        Code::new("a page", Answer::accepted(200, "text/html", "<html>message</html>"), Want::Retry),
    ]
}
