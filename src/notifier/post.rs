//! The way out to a channel over HTTP: one request, no redirect, bounded in time and size, and no secret in what comes
//! back.
//!
//! A channel gives its secrets to its [`Post`] when it is made; whatever the other side or the HTTP library says goes
//! through [`Post::clean`] before anybody sees it, because vendors echo parts of requests.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode};

use super::{BuildError, Outcome, Refusal, Trouble};
use crate::domain::reason::Reason;
use crate::secret::Secret;

/// Connect at the latest after this.
const CONNECT: Duration = Duration::from_secs(5);
/// One attempt, from connect to the last byte.
const TIMEOUT: Duration = Duration::from_secs(20);
/// No channel has a longer answer.
const LONGEST_ANSWER: usize = 64 * 1024;
/// A hint of the other side is believed within these.
const RETRY_AFTER_LIMITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(1)];
/// Shorter texts are no secrets that could be told from ordinary words.
const SHORTEST_SECRET: usize = 4;

/// A client for one channel.
#[derive(Debug, Clone)]
pub struct Post {
    client: Client,
    secrets: Vec<Secret>,
    timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it came; for dates in its headers.
    pub at: DateTime<Utc>,
}

impl Post {
    /// A client that leaves `secrets` out of everything that it says.
    ///
    /// # Errors
    /// The proxy is no address, or no TLS can be set up.
    pub fn new(proxy: Option<&str>, secrets: Vec<Secret>) -> Result<Self, BuildError> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("notafter/", env!("CARGO_PKG_VERSION")));
        let client = match proxy {
            Some(proxy) => {
                let proxy = reqwest::Proxy::all(proxy).map_err(|error| client_error(&error))?;
                client.proxy(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")))
            }
            None => client,
        };
        let client = client.build().map_err(|error| client_error(&error))?;
        Ok(Self { client, secrets, timeout: TIMEOUT })
    }

    /// The same client, which leaves these out as well: what was made for one attempt, such as a signature.
    #[must_use]
    pub fn hiding(&self, more: impl IntoIterator<Item = Secret>) -> Self {
        let mut post = self.clone();
        post.secrets.extend(more);
        post
    }

    /// Posts JSON, whose bytes are taken as they are.
    ///
    /// # Errors
    /// No answer came: what to do about that.
    pub async fn json(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Reply, Outcome> {
        let mut all = headers;
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let sending = self.send(url, all, body);
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.no_answer(&error)),
            Err(_) => Err(retry(Reason::Timeout, format!("no answer within {} s", self.timeout.as_secs()))),
        }
    }

    async fn send(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Reply, reqwest::Error> {
        let mut response = self.client.post(url).headers(headers).body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        while body.len() < LONGEST_ANSWER
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk[..chunk.len().min(LONGEST_ANSWER - body.len())]);
        }
        Ok(Reply { status, headers, body: body.freeze(), at: Utc::now() })
    }

    /// An address that is none is a fault of the settings; everything else may pass.
    fn no_answer(&self, error: &reqwest::Error) -> Outcome {
        let mut text = String::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = if text.is_empty() { inner.to_string() } else { format!("{text}: {inner}") };
            cause = inner.source();
        }
        if error.is_builder() {
            let trouble = Trouble::new(Reason::Internal, "the address cannot be used");
            return Outcome::Refused { what: Refusal::Target, trouble };
        }
        let reason = if error.is_timeout() { Reason::Timeout } else { Reason::Unreachable };
        let text = if text.is_empty() { "no answer came".to_owned() } else { self.clean(&text) };
        // what never had a connection did not arrive
        let trouble = Trouble { unanswered: !error.is_connect(), ..Trouble::new(reason, text) };
        Outcome::Retry { after: None, trouble }
    }

    /// What the rules for every channel say of an answer (redirects, 408, 425, 429, 5xx, other 4xx); `None` where the
    /// channel itself has to read it: 2xx.
    pub fn usual(&self, reply: &Reply) -> Option<Outcome> {
        let status = reply.status;
        let said = || self.said(reply);
        match status.as_u16() {
            200..=299 => None,
            300..=399 => Some(refused(Refusal::Target, format!("HTTP {status}: redirects are not followed"))),
            429 => Some(self.later(reply, Reason::Throttled)),
            408 | 425 | 500..=599 => Some(self.later(reply, Reason::Unreachable)),
            401 | 403 => Some(refused(Refusal::Credentials, said())),
            404 => Some(refused(Refusal::Target, said())),
            410 => Some(gone(said())),
            _ => Some(refused(Refusal::Content, said())),
        }
    }

    /// A retry that obeys `Retry-After`.
    pub fn later(&self, reply: &Reply, reason: Reason) -> Outcome {
        let trouble = Trouble::new(reason, self.said(reply));
        Outcome::Retry { after: retry_after(&reply.headers, reply.at), trouble }
    }

    /// Status and beginning of the body, clean.
    pub fn said(&self, reply: &Reply) -> String {
        let body = self.clean(&String::from_utf8_lossy(&reply.body));
        let status = reply.status.as_u16();
        if body.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {body}") }
    }

    /// Foreign text without any of the channel's secrets, on one line, of bounded length.
    pub fn clean(&self, text: &str) -> String {
        clean(&self.secrets, text)
    }
}

/// Foreign text without these secrets, on one line, of bounded length.
pub fn clean(secrets: &[Secret], text: &str) -> String {
    let secrets = secrets.iter().map(Secret::expose).filter(|secret| secret.len() >= SHORTEST_SECRET);
    let text = secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    crate::call::clean(&text)
}

/// How long the other side wants to be left alone: whole seconds or a date (RFC 9110 §10.2.3), within 1 s and 1 h.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    let [least, most] = RETRY_AFTER_LIMITS;
    Some(wait.clamp(least, most))
}

/// An outcome that may get better by itself.
pub fn retry(reason: Reason, text: impl AsRef<str>) -> Outcome {
    Outcome::Retry { after: None, trouble: Trouble::new(reason, text) }
}

/// An outcome that will not.
pub fn refused(what: Refusal, text: impl AsRef<str>) -> Outcome {
    let reason = if what == Refusal::Credentials { Reason::Denied } else { Reason::Refused };
    Outcome::Refused { what, trouble: Trouble::new(reason, text) }
}

/// The other side says that the place is gone for good.
pub fn gone(said: impl AsRef<str>) -> Outcome {
    refused(Refusal::Gone, format!("gone for good ({})", said.as_ref()))
}

fn client_error(error: &reqwest::Error) -> BuildError {
    let cause = error.source().map_or_else(|| "no HTTP client can be made".to_owned(), ToString::to_string);
    BuildError::Client(cause)
}
