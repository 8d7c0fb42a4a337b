//! A workflow of Microsoft Teams: it says 202 to whatever has the right form, and shows nothing of what is too large
//! or holds an element that it does not know.

mod card;

use serde_json::{Value, json};

use super::{Answer, Receiver, Request, Shown};

/// Larger messages are dropped after they were accepted.
const BODY: usize = 28_000;

/// One workflow, whose address is its credential.
pub struct Teams {
    path: String,
    query: String,
}

impl Teams {
    /// At this path, with this query, byte for byte.
    pub fn new(path: &str, query: &str) -> Self {
        Self { path: path.to_owned(), query: query.to_owned() }
    }
}

impl Receiver for Teams {
    fn name(&self) -> &'static str {
        "teams"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.method != "POST" || request.path != self.path {
            return error(404, "WorkflowNotFound");
        }
        if request.query != self.query {
            return error(401, "DirectApiAuthorizationRequired");
        }
        let Some(message) = request.json().filter(|_| request.is_announced_as_json()) else {
            return error(400, "InvalidRequestContent");
        };
        if !fits_schema(&message) {
            return error(400, "TriggerInputSchemaMismatch");
        }
        let is_shown = request.body.len() <= BODY && card::read(content(&message)).is_some();
        if is_shown { Answer::accepted(202, "", "") } else { Answer::refused(202, "", "") }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        card::read(content(&request.json()?))
    }
}

fn content(message: &Value) -> &Value {
    &message["attachments"][0]["content"]
}

/// What the trigger of the workflow checks before it starts: no `null` but for `contentUrl`.
fn fits_schema(message: &Value) -> bool {
    let Some([attachment]) = message["attachments"].as_array().map(Vec::as_slice) else { return false };
    message["type"] == "message"
        && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        && attachment["contentUrl"].is_null()
        && attachment["content"].is_object()
        && !holds_null(&attachment["content"])
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn error(status: u16, code: &str) -> Answer {
    Answer::error(status, &json!({ "error": { "code": code, "message": code } }))
}
