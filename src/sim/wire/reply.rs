//! What a simulated cloud makes of a request, and how that goes on the wire.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::http::request::Parts;

use super::body::AnswerBody;

/// The state behind a port.
pub(in crate::sim) trait Cloud: Send + Sync {
    /// Takes one request and says what is to be sent.
    fn react(&self, parts: &Parts, body: &[u8]) -> Reaction;
}

/// What the server is to do.
pub(in crate::sim) enum Reaction {
    /// Send this.
    Reply(Box<Reply>),
    /// Send this after a while.
    Late(Duration, Box<Reply>),
    /// Keep the connection open and send nothing.
    Silence,
    /// Tear the connection down.
    Reset,
}

/// An answer as it goes on the wire.
pub(in crate::sim) struct Reply {
    /// HTTP status.
    pub(in crate::sim) status: u16,
    /// Headers.
    pub(in crate::sim) headers: Vec<(Cow<'static, str>, String)>,
    /// Body.
    pub(in crate::sim) body: AnswerBody,
    /// Tear the connection down soon afterwards.
    pub(in crate::sim) hang_up: bool,
}

impl Reply {
    /// An answer with type and date.
    pub(in crate::sim) fn new(
        status: u16,
        content_type: &str,
        body: impl Into<Bytes>,
        now: DateTime<Utc>,
    ) -> Self {
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = vec![("date".into(), date), ("content-type".into(), content_type.to_owned())];
        Self { status, headers, body: AnswerBody::Whole(body.into()), hang_up: false }
    }

    /// With one more header.
    pub(in crate::sim) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned().into(), value.to_owned()));
        self
    }
}

/// Locks for a moment. A test that panicked with the lock in its hand leaves values that are whole all the same.
pub(in crate::sim) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
