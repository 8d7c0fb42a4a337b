//! Error answers: a `RetCode` in a body, with status 200.

use serde_json::{Value, json};

/// An error of the gateway or of the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The value of `RetCode`.
    pub(super) code: u32,
    message: String,
}

impl ApiError {
    /// An error with its own message.
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A parameter is missing; the real cloud calls a missing region `az_group`.
    pub(super) fn missing(name: &str) -> Self {
        let name = if name == "Region" { "az_group" } else { name };
        Self::new(220, format!("Missing params [{name}]"))
    }

    /// The value of a parameter is not to be had: wrong, or a region that is not open.
    pub(super) fn not_available(name: &str) -> Self {
        Self::new(230, format!("Params [{name}] not available"))
    }

    /// Too many calls.
    pub(super) fn throttled() -> Self {
        Self::new(153, "Request is throttled")
    }

    /// Errors of the gateway come without `Action`.
    pub(super) fn body(&self, action: &str) -> Value {
        let mut body = json!({ "RetCode": self.code, "Message": self.message });
        if self.code >= 200 {
            body["Action"] = format!("{action}Response").into();
        }
        body
    }
}
