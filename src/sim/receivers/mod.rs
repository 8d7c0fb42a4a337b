//! The far side of the channels, on loopback: receivers as strict as the vendors, for tests and for the demonstration.
//!
//! A [`Receiver`] judges a request and says what a person would see of it; a [`Reception`] serves it, writes down
//! everything that comes, and goes wrong to order. They never use the code that writes the messages, so what they
//! understand can be held against what was meant.

pub mod alertmanager;
pub mod dingtalk;
pub mod feishu;
pub mod pagerduty;
pub mod slack;
pub mod smtp;
pub mod teams;
pub mod telegram;
pub mod webhook;
pub mod wecom;

mod chat;
mod fault;
mod reception;

pub use fault::Fault;
pub use reception::Reception;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Where messages arrive.
pub trait Receiver: Send + Sync {
    /// Which one it is: a value of `type`, mostly.
    fn name(&self) -> &'static str;

    /// What it says to a request, as strict as the vendor.
    fn judge(&self, request: &Request) -> Answer;

    /// What a person sees of a request that was accepted; `None` where there is nothing to see.
    fn shown(&self, request: &Request) -> Option<Shown>;
}

/// What came: a request over HTTP, or a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, mostly; `MAIL` for a mail.
    pub method: String,
    /// As it was sent, not decoded; the recipient of a mail.
    pub path: String,
    /// What stands behind the `?`, not decoded.
    pub query: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// As it was sent.
    pub body: Bytes,
    /// When, by the receiver's clock.
    pub at: DateTime<Utc>,
}

impl Request {
    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The names and values of the query, decoded as forms are: a plain `+` is a blank.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let address = reqwest::Url::parse(&format!("http://receiver/?{}", self.query));
        address.map(|address| address.query_pairs().into_owned().collect()).unwrap_or_default()
    }

    /// The first value of that name in the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether the body is announced as JSON, with or without a charset.
    pub fn is_announced_as_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    }
}

/// What a receiver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, or the code of an SMTP reply.
    pub status: u16,
    /// Type of the body; empty: none is sent.
    pub content_type: &'static str,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, or the text of an SMTP reply.
    pub body: Bytes,
    /// Whether people get to see the message. Not told to the sender: status 200 may mean either.
    pub accepted: bool,
}

impl Answer {
    /// The message is taken.
    pub fn accepted(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), accepted: true }
    }

    /// The message is not taken, whatever the status says.
    pub fn refused(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { accepted: false, ..Self::accepted(status, content_type, body) }
    }

    /// Taken, and said so in JSON.
    pub fn ok(body: &Value) -> Self {
        Self::accepted(200, JSON, body.to_string())
    }

    /// Not taken, and said so in JSON.
    pub fn error(status: u16, body: &Value) -> Self {
        Self::refused(status, JSON, body.to_string())
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The usual type of answers.
pub const JSON: &str = "application/json; charset=utf-8";
/// The type of answers in a word.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// What a person sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Where it stands: the heading, the subject, the line of a push notification.
    pub title: String,
    /// The rest, line by line, with the markup applied: what it escaped is plain here, and what it styled as well.
    pub lines: Vec<String>,
    /// Colour, in the receiver's own words.
    pub colour: Option<String>,
    /// Who is called by name.
    pub mentions: Vec<String>,
    /// What can be clicked.
    pub links: Vec<String>,
}

impl Shown {
    /// Everything to read, in one text.
    pub fn text(&self) -> String {
        let lines: Vec<_> = std::iter::once(&self.title).chain(&self.lines).map(String::as_str).collect();
        lines.join("\n")
    }
}

/// Something that came, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What came.
    pub request: Request,
    /// What was said to it; `None` where nothing was.
    pub answer: Option<Answer>,
    /// What went wrong on purpose.
    pub fault: Option<&'static str>,
    /// What a person sees of it, where it was accepted.
    pub shown: Option<Shown>,
}

impl Delivery {
    /// Whether people got to see it, whatever the sender was told.
    pub fn is_accepted(&self) -> bool {
        self.shown.is_some() || self.answer.as_ref().is_some_and(|answer| answer.accepted)
    }
}
