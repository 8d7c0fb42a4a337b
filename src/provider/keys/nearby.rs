//! The metadata service of the machine: plain HTTP to an address that never leaves it, with short waits and without
//! any proxy. What is asked there, and in which words, is each cloud's own affair.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::call::{CallError, CallErrorKind};
use crate::clock::Clock;
use crate::http::{AccountHttp, Answer, Call, Keeping, Outgoing, secret_header};
use crate::provider::{BuildError, Order};

/// No honest answer is longer.
const LIMIT: usize = 64 * 1024;

/// A service on this machine or on its host.
#[derive(Debug)]
pub struct Nearby {
    http: AccountHttp,
    base: String,
    nowhere: Arc<str>,
}

impl Nearby {
    /// The service at `base` (scheme and host, no slash at the end).
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(order: &Order<'_>, provider: &str, base: &str) -> Result<Self, BuildError> {
        let http = order.http.nearby(&provider.into(), order.account).map_err(BuildError::Http)?;
        Ok(Self { http, base: base.to_owned(), nowhere: "".into() })
    }

    /// Its clock, which is that of all calls.
    pub fn clock(&self) -> &Clock {
        self.http.clock()
    }

    /// Asks; the answer is returned whatever its status.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn ask(
        &self,
        action: &'static str,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, CallError> {
        let call =
            Call { action, region: &self.nowhere, limit: LIMIT, repeatable: true, keeping: Keeping::FORM };
        let outgoing = || Outgoing {
            method: method.clone(),
            url: format!("{}{path}", self.base),
            headers: headers
                .iter()
                .filter_map(|(name, value)| secret_header(name, (*value).to_owned()))
                .collect::<HeaderMap>(),
            body: Bytes::new(),
        };
        self.http.call(call, outgoing, Ok).await
    }

    /// The single word of a good answer.
    ///
    /// # Errors
    /// The status is not a good one, or the answer is not a word.
    pub fn word<'a>(answer: &'a Answer, action: &'static str) -> Result<&'a str, CallError> {
        if !answer.status.is_success() {
            return Err(Self::refusal(answer, action));
        }
        word(answer).ok_or_else(|| {
            CallError::new(CallErrorKind::Unreadable, action, "the metadata service answered with no word")
        })
    }

    /// The name of a role, which becomes part of a path.
    ///
    /// # Errors
    /// It cannot be one.
    pub fn role_name<'a>(answer: &'a Answer, action: &'static str) -> Result<&'a str, CallError> {
        let name = Self::word(answer, action)?;
        if Self::is_role_name(name) {
            return Ok(name);
        }
        Err(CallError::new(CallErrorKind::Unreadable, action, "the metadata service named no role"))
    }

    /// Whether it can be the name of a role, and nothing else of a path.
    pub fn is_role_name(name: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits)
    }

    /// What a bad status of a metadata service means.
    pub fn refusal(answer: &Answer, action: &'static str) -> CallError {
        let status = answer.status;
        let (kind, text) = match status.as_u16() {
            404 => (CallErrorKind::KeyDenied, "this machine has no role, or not that one"),
            401 | 403 => (CallErrorKind::KeyDenied, "the metadata service gives this machine no keys"),
            429 => (CallErrorKind::Throttled(None), "the metadata service was asked too often"),
            500.. => (CallErrorKind::Unreachable, "the metadata service is out of order"),
            _ => (CallErrorKind::Unreadable, "the metadata service gave an answer that is none"),
        };
        let error = CallError::new(kind, action, format!("{text} (status {})", status.as_u16()));
        if kind == CallErrorKind::KeyDenied { error.of_a_refused_role() } else { error }
    }
}

/// An answer that is one short word: a token, the name of a role.
fn word(answer: &Answer) -> Option<&str> {
    let text = std::str::from_utf8(&answer.body).ok()?.lines().next()?.trim();
    let fits = !text.is_empty() && text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}
