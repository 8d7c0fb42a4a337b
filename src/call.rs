//! What can go wrong with one call to a cloud, as data.
//!
//! The variants are the contract: callers decide by them, never by text. Texts are made here, once, with everything
//! foreign cut to length and made visible; secrets never get in.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::domain::reason::Reason;
use crate::visible::{holds_a_key, shortened};

/// The longest foreign text that is kept.
const LONGEST_TEXT: usize = 300;

/// A boxed future that may move between threads: what those return who call somebody else.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CallError {
    /// What kind of failure it is.
    pub kind: CallErrorKind,
    /// The call, by the cloud's own name for it (`rds:DescribeDBInstanceSSL`).
    pub action: &'static str,
    /// The cloud's error code, where it gave one.
    pub code: Option<String>,
    /// What happened, in words; cleaned.
    pub message: String,
    /// The cloud's id of the request, for its support.
    pub request_id: Option<String>,
    /// The key was accepted, and the role (or agency) that was asked for with it is not given: the way out is another
    /// one than for a refused key.
    pub role_refused: bool,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallErrorKind {
    /// The key itself is not accepted. Concerns every call with it.
    KeyDenied,
    /// Not made at all: the key was refused to another call while this one waited for its turn.
    NotSent,
    /// The key is accepted and lacks the permission for this call.
    PermissionDenied,
    /// Too many calls; with the cloud's hint how long to wait, if it gave one.
    Throttled(Option<Duration>),
    /// No answer, or one from a gateway with nobody behind it.
    Unreachable,
    /// No answer, or no end of it, in time.
    Timeout,
    /// The cloud says that the project of the call does not exist (any more).
    NoSuchProject,
    /// An error answer that fits nothing above.
    Refused,
    /// An answer that could not be understood.
    Unreadable,
    /// An answer longer than any honest one.
    TooLarge,
}

impl CallErrorKind {
    /// The reason used in labels.
    pub fn reason(self) -> Reason {
        match self {
            Self::KeyDenied | Self::PermissionDenied | Self::NotSent => Reason::Denied,
            Self::Throttled(_) => Reason::Throttled,
            Self::Unreachable => Reason::Unreachable,
            Self::Timeout => Reason::Timeout,
            Self::Refused | Self::NoSuchProject => Reason::Refused,
            Self::Unreadable => Reason::Unreadable,
            Self::TooLarge => Reason::TooLarge,
        }
    }
}

impl CallError {
    /// A failure that the cloud did not word itself.
    pub fn new(kind: CallErrorKind, action: &'static str, message: impl AsRef<str>) -> Self {
        let message = clean(message.as_ref());
        Self { kind, action, code: None, message, request_id: None, role_refused: false }
    }

    /// Adds what the cloud said.
    #[must_use]
    pub fn with_code(mut self, code: &str, request_id: Option<&str>) -> Self {
        self.code = Some(clean(code));
        self.request_id = request_id.map(clean).filter(|id| !id.is_empty());
        self
    }

    /// Says that not the key is refused, but what was to be borrowed with it.
    #[must_use]
    pub fn of_a_refused_role(mut self) -> Self {
        self.role_refused = true;
        self
    }
}

impl fmt::Display for CallError {
    /// `rds:DescribeDBInstanceSSL: throttled (Throttling.User, request 7F2A), retry after 12s: too many calls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.kind.reason().as_str())?;
        match (&self.code, &self.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})")?,
            (Some(code), None) => write!(f, " ({code})")?,
            (None, Some(id)) => write!(f, " (request {id})")?,
            (None, None) => {}
        }
        if let CallErrorKind::Throttled(Some(after)) = self.kind {
            write!(f, ", retry after {after:?}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// Foreign text made fit to be shown: on one line, visible, of bounded length. One with a private key in it is not
/// shown at all: where the key ends can only be guessed.
pub fn clean(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    if holds_a_key(&line) {
        return "a text with a private key in it, which is not shown".to_owned();
    }
    shortened(&line, LONGEST_TEXT).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_tells_action_reason_code_request_and_hint() {
        let error = CallError::new(
            CallErrorKind::Throttled(Some(Duration::from_secs(12))),
            "rds:DescribeDBInstanceSSL",
            "Request was denied due to user flow control.\n",
        )
        .with_code("Throttling.User", Some("7F2A"));
        assert_eq!(
            error.to_string(),
            "rds:DescribeDBInstanceSSL: throttled (Throttling.User, request 7F2A), retry after 12s: \
             Request was denied due to user flow control."
        );
    }

    #[test]
    fn foreign_text_cannot_forge_a_line_or_grow_without_bound() {
        assert_eq!(clean(" a\n\tb\x1b[31mc\0\n"), r"a b\u{1b}[31mc\u{0}");
        assert_eq!(clean("a\u{202e}b"), r"a\u{202e}b");
        assert!(!clean("x -----BEGIN RSA PRIVATE\nKEY-----\nPLANTED").contains("PLANTED"));
        assert_eq!(clean(&"证".repeat(1000)).chars().count(), LONGEST_TEXT + 1);
    }
}
