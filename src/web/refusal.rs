//! Requests that cannot be answered, as `application/problem+json` (RFC 9457).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::json;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// What is wrong and what is possible, for people; nothing in it is invisible.
    pub detail: String,
}

impl Refusal {
    /// The request itself is wrong, and will be as wrong the next time.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail: detail.into() }
    }

    /// There is nothing by that name.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: detail.into() }
    }

    /// Not by this way, or not by this visitor.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, detail: detail.into() }
    }

    /// Understood, and not possible as the daemon is configured.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, detail: detail.into() }
    }

    /// Understood, and what it is about cannot be used.
    pub fn unusable(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail: detail.into() }
    }

    /// Not at the moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, detail: detail.into() }
    }

    /// Another method than those in `Allow`.
    pub fn method_not_allowed() -> Self {
        Self::method_not_allowed_but("GET and HEAD")
    }

    /// Another method than these.
    pub fn method_not_allowed_but(possible: &str) -> Self {
        let detail = format!("this path only answers {possible}");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail }
    }
}

/// `type` is `about:blank`, so `title` has to be the phrase of the status.
#[derive(Serialize)]
struct Body<'r> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'r str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = Body { r#type: "about:blank", title, status: self.status.as_u16(), detail: &self.detail };
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (self.status, headers, json::to_text(&body)).into_response()
    }
}
