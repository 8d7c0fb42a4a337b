//! Error answers: JSON of the gateway and of DCS, XML of the object store.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::sim::wire::reply::Reply;

/// An error answer, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// HTTP status.
    pub(super) status: u16,
    /// The value of `error_code`, or of `<Code>`.
    pub(super) code: Cow<'static, str>,
    message: String,
    /// The object store speaks XML.
    xml: bool,
}

impl ApiError {
    /// An error of the gateway, of DCS or of IAM.
    pub(super) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), xml: false }
    }

    /// An error of the object store.
    pub(super) fn store(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { xml: true, ..Self::new(status, code, message) }
    }

    /// `APIGW.0301`, which always begins with the same words.
    pub(super) fn key(reason: &str) -> Self {
        Self::new(401, "APIGW.0301", format!("Incorrect IAM authentication information: {reason}"))
    }

    /// Too many calls; the window is named as the gateway does.
    pub(super) fn throttled(limit: usize, seconds: i64) -> Self {
        let time = match seconds {
            60 => "1 minute".to_owned(),
            1 => "1 second".to_owned(),
            _ => format!("{seconds} seconds"),
        };
        let text = "The throttling threshold has been reached: policy user over ratelimit";
        Self::new(429, "APIGW.0308", format!("{text},limit:{limit},time:{time}"))
    }

    /// The key lacks a right.
    pub(super) fn denied(action: &str) -> Self {
        Self::new(403, "DCS.2003", format!("Policy doesn't allow {action} to be performed."))
    }

    /// As it goes on the wire.
    pub(super) fn reply(&self, request_id: &str, now: DateTime<Utc>) -> Reply {
        if self.xml {
            let Self { code, message, .. } = self;
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Error><Code>{code}</Code>\
                 <Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
            );
            return Reply::new(self.status, "application/xml", body, now)
                .with("x-obs-request-id", request_id);
        }
        let body = json!({"error_code": self.code, "error_msg": self.message, "request_id": request_id});
        Reply::new(self.status, "application/json", body.to_string(), now).with("x-request-id", request_id)
    }
}
