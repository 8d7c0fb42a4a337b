use std::sync::Arc;

use notafter::notifier::Refusal;
use notafter::sim::receivers::teams::Teams;
use notafter::sim::receivers::{Answer, TEXT};
use serde_json::json;

use super::{Channel, Code, Far, Want};

const PATH: &str = "/workflows/0plantedWorkflow/triggers/manual/paths/invoke";
/// Byte for byte: `%2F` is not `/` to whoever signed it.
const QUERY: &str = "api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=0planted-Signature_x%2Bz";

pub(super) fn entries() -> Vec<Channel> {
    vec![Channel {
        settings: "url = \"{base}/workflows/0plantedWorkflow/triggers/manual/paths/invoke?\
                   api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=0planted-Signature_x%2Bz\"\n",
        secrets: &["0plantedWorkflow", "0planted-Signature_x%2Bz"],
        budget: 24_000,
        most_requests: 1,
        faults: &[("200 empty", Want::Delivered), ("404", Want::Refused(Refusal::Credentials))],
        codes: codes(),
        ..Channel::new("teams", Far::Http(|| Arc::new(Teams::new(PATH, QUERY))))
    }]
}

fn codes() -> Vec<Code> {
    let error =
        |status, code: &str| Answer::error(status, &json!({ "error": { "code": code, "message": "…" } }));
    let code = |status, name, what| Code::new(name, error(status, name), Want::Refused(what));
    vec![
        code(400, "TriggerInputSchemaMismatch", Refusal::Content),
        code(401, "DirectApiAuthorizationRequired", Refusal::Credentials),
        code(403, "WorkflowForbidden", Refusal::Credentials),
        code(404, "WorkflowNotFound", Refusal::Credentials),
        Code::new("a step that answers", Answer::accepted(200, TEXT, "done"), Want::Delivered),
        Code::new("a page in its place", Answer::refused(202, "text/html", "<html>"), Want::Retry),
    ]
}
