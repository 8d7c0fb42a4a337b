//! What the faults mean that each cloud words in its own way; the rest is the same everywhere (`wire::distort`).

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::cloud::Honest;
use super::error::ApiError;
use crate::sim::wire::distort;
use crate::sim::wire::fault::Fault;
use crate::sim::wire::reply::Reaction;

/// What comes instead of an answer; `None` for faults that need the honest one.
pub(super) fn instead(fault: &Fault, request_id: &str, now: DateTime<Utc>) -> Option<Reaction> {
    let error = match fault {
        Fault::Status { status, json: true } => server_error(*status),
        Fault::Throttle { retry_after_ms } => ApiError::throttled(*retry_after_ms),
        Fault::RegionRefused => region_refused(),
        _ => return distort::instead(fault, now),
    };
    Some(Reaction::Reply(Box::new(Honest::refused(&error, request_id, "").reply(request_id, now))))
}

/// What becomes of the honest answer.
pub(super) fn afterwards(
    fault: &Fault,
    mut honest: Honest,
    request_id: &str,
    now: DateTime<Utc>,
) -> Reaction {
    honest.body = distort::rewritten(fault, honest.body);
    if *fault == Fault::LowercaseKeys {
        honest.body = distort::changed(&honest.body, lowercase_keys);
    }
    distort::delivered(fault, honest.reply(request_id, now))
}

fn server_error(status: u16) -> ApiError {
    let code = if status == 503 { "ServiceUnavailable" } else { "InternalError" };
    ApiError::new(status, code, "The request processing has failed due to some unknown error.")
}

fn region_refused() -> ApiError {
    ApiError::new(404, "InvalidRegionId.NotFound", "The specified region is not in service.")
}

fn lowercase_keys(json: Value) -> Value {
    let Value::Object(object) = json else { return json };
    let lower = |name: String| match name.as_str() {
        "Code" | "Message" | "RequestId" | "HostId" | "Recommend" => name[..1].to_lowercase() + &name[1..],
        _ => name,
    };
    object.into_iter().map(|(name, value)| (lower(name), value)).collect()
}
