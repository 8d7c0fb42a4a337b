use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal;
use notafter::sim::receivers::pagerduty::PagerDuty;
use notafter::sim::receivers::{Answer, JSON};
use serde_json::{Value, json};

use super::{Channel, Code, Far, Want};

const ROUTING_KEY: &str = "0plantedroutingkey00000000000000";

/// Minutes, not seconds.
const FAULTS: &[(&str, Want)] = &[("429 with nothing", Want::RetryAfter(Duration::from_mins(2)))];

/// Renewals call nobody: incidents follow the stages of the certificate.
const QUIET: &[&str] = &[
    "digest_fine",
    "renewal_planned",
    "renewal_asks",
    "renewal_started",
    "renewal_held",
    "renewal_succeeded",
    "renewal_refused",
    "renewal_unknown",
    "hostile_renewal",
];

pub(super) fn entries() -> Vec<Channel> {
    vec![Channel {
        settings: "routing_key = \"0plantedroutingkey00000000000000\"\nbase_url = \"{base}\"\n",
        secrets: &[ROUTING_KEY],
        // Half a megabyte is taken; a hundred names in an incident of many are enough.
        budget: 100_000,
        // Hundreds that are over are closed one by one.
        most_requests: 210,
        quiet: QUIET,
        faults: FAULTS,
        codes: codes(),
        same: |request| request.json().and_then(|event| key(&event)).into_iter().collect(),
        ..Channel::new("pagerduty", Far::Http(|| Arc::new(PagerDuty::new(ROUTING_KEY))))
    }]
}

fn key(event: &Value) -> Option<String> {
    event["dedup_key"].as_str().map(str::to_owned)
}

fn codes() -> Vec<Code> {
    let invalid =
        |errors: Value| json!({ "status": "invalid event", "message": "invalid", "errors": errors });
    let length = "Length of 'routing_key' is incorrect (should be 32 characters)";
    let (credentials, content) = (Want::Refused(Refusal::Credentials), Want::Refused(Refusal::Content));
    let answer = |status, body: &Value| Answer::refused(status, JSON, body.to_string());
    vec![
        Code::new("an invalid event", Answer::error(400, &invalid(json!(["'payload' is missing"]))), content),
        Code::new("a wrong key", Answer::error(400, &invalid(json!([length]))), credentials),
        Code::new("too large", Answer::refused(413, "", ""), content),
        Code::new("202 without words", Answer::refused(202, "", ""), Want::Retry),
        Code::new("202 without success", answer(202, &invalid(json!([]))), content),
        Code::new("200 in its place", answer(200, &json!({ "status": "success" })), Want::Retry),
    ]
}
