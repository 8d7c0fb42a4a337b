//! Error answers: status, code, message and the shapes they have on the wire.

use std::borrow::Cow;

use super::json::Json;
use super::model::{Refusal, Text};

/// An error answer, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// HTTP status.
    pub(super) status: u16,
    /// The value of `Code`.
    pub(super) code: Cow<'static, str>,
    message: String,
    /// Sent as `x-acs-retry-after`.
    pub(super) retry_after_ms: Option<u64>,
    denied: Option<Denied>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Denied {
    action: String,
    owner: Text,
}

impl ApiError {
    /// An error with its own message.
    pub(super) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_ms: None, denied: None }
    }

    /// A parameter is missing.
    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(400, format!("Missing{parameter}"), format!("{parameter} is mandatory for this action."))
    }

    /// The key lacks a right.
    pub(super) fn denied(action: String, owner: &Text) -> Self {
        let message =
            "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        let denied = Some(Denied { action, owner: owner.clone() });
        Self { denied, ..Self::new(403, "Forbidden.RAM", message) }
    }

    /// Too many calls.
    pub(super) fn throttled(retry_after_ms: Option<u64>) -> Self {
        let message = "Request was denied due to user flow control.";
        Self { retry_after_ms, ..Self::new(400, "Throttling.User", message) }
    }

    /// Whether it says that there were too many calls.
    pub(super) fn is_throttling(&self) -> bool {
        self.code.starts_with("Throttling") || self.code.ends_with("Throttling")
    }

    /// The body.
    pub(super) fn body(&self, request_id: &str, host: &str) -> Vec<u8> {
        Json::answer(request_id, |json| {
            json.text("Message", &self.message);
            json.text("HostId", host);
            json.text("Code", &self.code);
            json.text("Recommend", "https://api.aliyun.com/troubleshoot");
            if let Some(denied) = &self.denied {
                json.object("AccessDeniedDetail", |json| denied.fill(json));
            }
        })
    }
}

impl Denied {
    fn fill(&self, json: &mut Json) {
        json.text("AuthAction", &self.action);
        json.text("AuthPrincipalDisplayName", "notafter");
        json.text("AuthPrincipalOwnerId", &self.owner);
        json.text("AuthPrincipalType", "SubUser");
        json.text("NoPermissionType", "ImplicitDeny");
        json.text("PolicyType", "AccountLevelIdentityBasedPolicy");
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = message_of(&refusal.code);
        Self::new(refusal.status, refusal.code, message)
    }
}

/// What the cloud says with its codes; nobody may rely on these words.
fn message_of(code: &str) -> &'static str {
    match code {
        "IncorrectDBInstanceState" => "Current DB instance state does not support this operation.",
        "IncorrectDBInstanceLockMode" => "Current DB instance lock mode does not support this operation.",
        "Endpoint.NotFound" => "Specified endpoint is not found.",
        code if code.ends_with(".NotFound") => "The specified resource is not found.",
        code if code.contains("Support") || code.contains("Version") => {
            "Current instance type, version or region does not support this operation."
        }
        _ => "The request was refused.",
    }
}
