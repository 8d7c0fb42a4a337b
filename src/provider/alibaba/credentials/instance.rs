//! The role of the machine, from its metadata service; and an address that hands out keys in the same words.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::call::{CallError, CallErrorKind, clean};
use crate::http::{AccountHttp, Answer, Call, Keeping, Outgoing};
use crate::provider::BoxFuture;
use crate::provider::keys::{Keys, Lender, Nearby, lent_keys};
use crate::provider::loose::Loose;
use crate::secret::Secret;

pub(super) const TOKEN: &str = "ecs-metadata:Token";
pub(super) const ROLE: &str = "ecs-metadata:Role";
pub(super) const KEYS: &str = "ecs-metadata:SecurityCredentials";
const URI: &str = "credentials-uri:Get";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";
/// Life of a token of version 2, in seconds; a new one is had for each renewal of the keys.
const TTL: (&str, &str) = ("x-aliyun-ecs-metadata-token-ttl-seconds", "21600");
const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";
/// No honest answer is longer.
const LIMIT: usize = 64 * 1024;

/// Lends the keys of the machine's role.
#[derive(Debug)]
pub(super) struct InstanceLender {
    nearby: Arc<Nearby>,
    role: Option<String>,
    v1: bool,
}

impl InstanceLender {
    /// `role`: its name, if it need not be asked for; `v1`: without a token is good enough, if none is to be had.
    pub(super) fn new(nearby: Arc<Nearby>, role: Option<String>, v1: bool) -> Self {
        Self { nearby, role, v1 }
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let token = self.token().await?;
        let with_token = token.as_ref().map(|token| (TOKEN_HEADER, token.expose()));
        let headers: Vec<_> = with_token.into_iter().collect();
        let role = if let Some(role) = &self.role {
            role.clone()
        } else {
            let answer = self.nearby.ask(ROLE, Method::GET, ROLES, &headers).await?;
            Nearby::role_name(&answer, ROLE)?.to_owned()
        };
        let answer = self.nearby.ask(KEYS, Method::GET, &format!("{ROLES}{role}"), &headers).await?;
        if !answer.status.is_success() {
            return Err(Nearby::refusal(&answer, KEYS));
        }
        keys(&answer, KEYS)
    }

    /// A token of version 2. Where none is to be had and version 1 will do, `None`. In containers the answer to this
    /// question may get lost (it may make one hop only), which looks like silence.
    async fn token(&self) -> Result<Option<Secret>, CallError> {
        let answer = self.nearby.ask(TOKEN, Method::PUT, "/latest/api/token", &[TTL]).await;
        let token = answer.and_then(|answer| Nearby::word(&answer, TOKEN).map(Secret::new));
        match token {
            Ok(token) => Ok(Some(token)),
            Err(error) if self.v1 && error.kind != CallErrorKind::Unreachable => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Lender for InstanceLender {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        KEYS
    }

    fn actions(&self) -> Vec<&'static str> {
        vec![TOKEN, ROLE, KEYS]
    }
}

#[derive(Deserialize)]
struct Success {
    #[serde(default, rename = "Code")]
    code: Loose,
}

fn keys(answer: &Answer, action: &'static str) -> Result<Keys, CallError> {
    let success = serde_json::from_slice::<Success>(&answer.body).ok();
    match success.as_ref().map(|success| success.code.text()) {
        Some(Some("Success")) => lent_keys(&answer.body, action),
        Some(Some(code)) => {
            let text = format!("the keys cannot be had: `{}`", clean(code));
            Err(CallError::new(CallErrorKind::KeyDenied, action, text).of_a_refused_role())
        }
        _ => Err(CallError::new(CallErrorKind::Unreadable, action, "the answer is not the JSON expected")),
    }
}

/// Lends what an address hands out.
#[derive(Debug)]
pub(super) struct UriLender {
    http: AccountHttp,
    /// May carry a proof of identity.
    url: Secret,
}

impl UriLender {
    /// The address has been checked.
    pub(super) fn new(http: AccountHttp, url: &str) -> Self {
        Self { http, url: Secret::new(url) }
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let region = Arc::from("");
        let call =
            Call { action: URI, region: &region, limit: LIMIT, repeatable: true, keeping: Keeping::FORM };
        let outgoing = || Outgoing {
            method: Method::GET,
            url: self.url.expose().to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let read = |answer: Answer| match answer.status {
            StatusCode::OK => keys(&answer, URI),
            status => {
                let text = format!("the address that hands out keys answered {}", status.as_u16());
                let unwell = status.is_server_error();
                let kind = if unwell { CallErrorKind::Unreachable } else { CallErrorKind::KeyDenied };
                Err(CallError::new(kind, URI, text))
            }
        };
        self.http.call(call, outgoing, read).await
    }
}

impl Lender for UriLender {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        URI
    }
}

/// The first that lends; never empty.
#[derive(Debug)]
pub(super) struct FirstOf(pub(super) Vec<Box<dyn Lender>>);

impl FirstOf {
    async fn ask(&self) -> Result<Keys, CallError> {
        let mut before = String::new();
        let mut last = None;
        for lender in &self.0 {
            match lender.lend().await {
                Ok(keys) => return Ok(keys),
                Err(error) => {
                    if let Some(earlier) = last.replace(error) {
                        before = format!("{before}{earlier}; then ");
                    }
                }
            }
        }
        let error = last.expect("there is at least one lender");
        let text = format!("{before}{}", error.message);
        Err(CallError { message: CallError::new(error.kind, error.action, text).message, ..error })
    }
}

impl Lender for FirstOf {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        self.0.last().map_or(KEYS, |lender| lender.action())
    }

    fn actions(&self) -> Vec<&'static str> {
        self.0.iter().flat_map(|lender| lender.actions()).collect()
    }
}
