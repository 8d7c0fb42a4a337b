//! What goes wrong on purpose at a receiver.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Answer, Request, TEXT};
use crate::sim::wire::body::AnswerBody;
use crate::sim::wire::reply::{Reaction, Reply};

/// A way in which a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This is said, and the message goes nowhere.
    Answer(Answer),
    /// What came is said back, with this status: as vendors do who want to help.
    Echo(u16),
    /// The connection is torn down before the message counts.
    ResetBefore,
    /// The message counts; then the connection is torn down.
    ResetAfter,
    /// The message goes nowhere, the connection stays open, and nothing is said.
    Silent,
    /// The message counts, and the answer comes after a while.
    Slow(Duration),
    /// The message goes nowhere, and the answer never ends.
    Endless,
}

impl Fault {
    /// Status and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer::refused(status, TEXT, ""))
    }

    /// Status and how long to wait: seconds or a date.
    pub fn retry_after(status: u16, wait: impl Into<String>) -> Self {
        Self::Answer(Answer::refused(status, TEXT, "").with("retry-after", wait))
    }

    /// The page of a proxy or of a captive portal, with status 200.
    pub fn html() -> Self {
        let page = "<html><head><title>Welcome</title></head><body><h1>Please sign in</h1></body></html>\n";
        Self::Answer(Answer::refused(200, "text/html", page))
    }

    /// Status 302 to that place.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::Answer(Answer::refused(302, "text/html", "").with("location", to))
    }

    /// The name under which deliveries have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Echo(_) => "echo",
            Self::ResetBefore => "reset before delivery",
            Self::ResetAfter => "reset after delivery",
            Self::Silent => "silent",
            Self::Slow(_) => "slow",
            Self::Endless => "endless",
        }
    }

    /// Whether the message counts all the same.
    pub(super) fn lets_through(&self) -> bool {
        matches!(self, Self::ResetAfter | Self::Slow(_))
    }

    /// What is said in place of the receiver's own answer.
    pub(super) fn answer(&self, request: &Request) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer.clone()),
            Self::Echo(status) => Some(Answer::refused(*status, TEXT, echo(request))),
            _ => None,
        }
    }

    /// What goes on the wire; `answer` is the receiver's own, or the one in its place.
    pub(super) fn reaction(&self, answer: Option<&Answer>, now: DateTime<Utc>) -> Reaction {
        match (self, answer) {
            (Self::ResetBefore | Self::ResetAfter, _) => Reaction::Reset,
            (Self::Slow(wait), Some(answer)) => Reaction::Late(*wait, Box::new(reply(answer, now))),
            (Self::Endless, _) => Reaction::Reply(Box::new(endless(now))),
            (_, Some(answer)) => Reaction::Reply(Box::new(reply(answer, now))),
            (_, None) => Reaction::Silence,
        }
    }
}

/// Everything that a vendor could say back: address, headers and body.
fn echo(request: &Request) -> String {
    let Request { method, path, query, headers, body, .. } = request;
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{method} {path}?{query}\n{}\n\n{}", headers.join("\n"), String::from_utf8_lossy(body))
}

pub(super) fn reply(answer: &Answer, now: DateTime<Utc>) -> Reply {
    let mut reply = Reply::new(answer.status, answer.content_type, answer.body.clone(), now);
    if answer.content_type.is_empty() {
        reply.headers.retain(|(name, _)| name != "content-type");
    }
    answer.headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
}

/// JSON that begins well; the text in it never ends.
fn endless(now: DateTime<Utc>) -> Reply {
    let reply = Reply::new(200, super::JSON, "", now);
    let body = AnswerBody::Endless(
        Bytes::from_static(b"{\"ok\":true,\"text\":\""),
        Bytes::from_static(&[b' '; 4096]),
    );
    Reply { body, ..reply }
}
