//! The service that hands out roles (STS): two calls, and what their refusals mean.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::IgnoredAny;

use super::plan::{Role, StsHost};
use crate::call::{CallError, CallErrorKind};
use crate::fields::Endpoint;
use crate::http::{AccountHttp, Answer, Call, Keeping, Outgoing};
use crate::provider::BoxFuture;
use crate::provider::alibaba::api::{Nonces, signed};
use crate::provider::alibaba::{errors, sign};
use crate::provider::keys::{KeySource, Keys, Lender, lent_keys};
use crate::secret::{Secret, SecretSource, wiped};

const VERSION: &str = "2015-04-01";
pub(super) const ASSUME_ROLE: &str = "sts:AssumeRole";
pub(super) const ASSUME_ROLE_WITH_OIDC: &str = "sts:AssumeRoleWithOIDC";
/// No honest answer is longer.
const LIMIT: usize = 64 * 1024;
/// Where a template without a region in it is asked for one.
const ANY_REGION: &str = "cn-hangzhou";

type Query<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The calls, for one account.
#[derive(Debug)]
pub(super) struct Sts {
    http: AccountHttp,
    account: Arc<str>,
    /// The operator's own address.
    endpoint: Option<Endpoint>,
    /// Fills the place of the region in that address.
    region: String,
    nonces: Nonces,
}

impl Sts {
    /// The calls for this account; `region` is one that it uses.
    pub(super) fn new(
        http: AccountHttp,
        account: Arc<str>,
        endpoint: Option<Endpoint>,
        region: Option<String>,
    ) -> Self {
        let region = region.unwrap_or_else(|| ANY_REGION.to_owned());
        Self { http, account, endpoint, region, nonces: Nonces::new() }
    }

    async fn assume_role(&self, keys: &Keys, role: &Role) -> Result<Keys, CallError> {
        let base = self.base(&role.sts);
        let query = parameters(role);
        let sign = || {
            let moment = (self.http.clock().now(), &self.nonces);
            signed(keys, &base, ASSUME_ROLE, VERSION, &query, moment)
        };
        self.send(ASSUME_ROLE, sign, keys).await
    }

    /// Unsigned: the token is all the proof there is. It goes into the body, because addresses get into logs.
    async fn assume_role_with_oidc(
        &self,
        provider_arn: &str,
        token: Secret,
        role: &Role,
    ) -> Result<Keys, CallError> {
        let base = self.base(&role.sts);
        let mut form = parameters(role);
        form.push(("OIDCProviderArn".into(), provider_arn.into()));
        form.push(("OIDCToken".into(), token.expose().into()));
        let body = wiped(sign::canonical_query(&form));
        drop(form);
        let unsigned = || {
            let query = [
                ("Action", "AssumeRoleWithOIDC".to_owned()),
                ("Format", "JSON".to_owned()),
                ("SignatureNonce", self.nonces.next()),
                ("Timestamp", sign::timestamp(self.http.clock().now())),
                ("Version", VERSION.to_owned()),
            ];
            let url = format!("{base}/?{}", sign::canonical_query(&query));
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            Outgoing { method: Method::POST, url, headers, body: body.clone() }
        };
        // The cloud repeats a token that it does not like.
        let censor = Keys { id: Secret::new(""), secret: token, token: None, expires: None };
        self.send(ASSUME_ROLE_WITH_OIDC, unsigned, &censor).await
    }

    async fn send(
        &self,
        action: &'static str,
        outgoing: impl Fn() -> Outgoing,
        keys: &Keys,
    ) -> Result<Keys, CallError> {
        let region = Arc::from("");
        let call = Call { action, region: &region, limit: LIMIT, repeatable: true, keeping: Keeping::FORM };
        let read = |answer: Answer| {
            errors::read::<IgnoredAny>(&answer, action, self.http.clock().now(), keys)?;
            lent_keys(&answer.body, action)
        };
        self.http.call(call, outgoing, read).await
    }

    fn base(&self, host: &StsHost) -> String {
        let region = host.region.as_deref();
        match (&self.endpoint, region, host.vpc) {
            (Some(endpoint), region, _) => endpoint.for_region(region.unwrap_or(&self.region)),
            (None, Some(region), true) => format!("https://sts-vpc.{region}.aliyuncs.com"),
            (None, None, true) => format!("https://sts-vpc.{}.aliyuncs.com", self.region),
            (None, Some(region), false) => format!("https://sts.{region}.aliyuncs.com"),
            (None, None, false) => "https://sts.aliyuncs.com".to_owned(),
        }
    }

    /// A refused role closes the whole account, like a refused key; it is told with account and role, because in a
    /// set-up of many accounts the two of them are the question.
    fn explain(&self, error: CallError, role: &Role) -> CallError {
        let unknown = error.code.as_deref() == Some("EntityNotExist.Role");
        let (kind, lead, role_refused) = match error.kind {
            CallErrorKind::PermissionDenied => (
                CallErrorKind::KeyDenied,
                "refused (does its trust policy name who asks, and is the external id right?): ",
                true,
            ),
            CallErrorKind::Refused if unknown => (CallErrorKind::KeyDenied, "there is no such role: ", true),
            // A parameter of ours that the cloud does not take: all of them come from `assume_role`.
            CallErrorKind::Refused => (CallErrorKind::Refused, "", true),
            kind => (kind, "", error.role_refused),
        };
        let text = format!("account `{}`, role {}: {lead}{}", self.account, role.arn, error.message);
        let message = CallError::new(kind, error.action, text).message;
        CallError { kind, message, role_refused, ..error }
    }
}

fn parameters(role: &Role) -> Query<'_> {
    let mut query: Query<'_> = vec![
        ("DurationSeconds".into(), role.seconds.to_string().into()),
        ("RoleArn".into(), role.arn.as_str().into()),
        ("RoleSessionName".into(), role.session_name.as_str().into()),
    ];
    query.extend(role.external_id.as_deref().map(|id| ("ExternalId".into(), id.into())));
    query.extend(role.policy.as_deref().map(|policy| ("Policy".into(), policy.into())));
    query
}

/// Lends the keys of a role to whoever has other keys.
#[derive(Debug)]
pub(super) struct RoleLender {
    sts: Arc<Sts>,
    base: Arc<dyn KeySource>,
    role: Role,
}

impl RoleLender {
    /// The role is asked for with the keys of `base`.
    pub(super) fn new(sts: Arc<Sts>, base: Arc<dyn KeySource>, role: Role) -> Self {
        Self { sts, base, role }
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let keys = self.base.keys().await?;
        self.sts.assume_role(&keys, &self.role).await.map_err(|error| {
            if error.kind == CallErrorKind::KeyDenied {
                self.base.refused(&keys);
            }
            self.sts.explain(error, &self.role)
        })
    }
}

impl Lender for RoleLender {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        ASSUME_ROLE
    }

    fn actions(&self) -> Vec<&'static str> {
        let mut actions = self.base.actions();
        if !actions.contains(&ASSUME_ROLE) {
            actions.push(ASSUME_ROLE);
        }
        actions
    }
}

/// Lends the keys of a role to whoever has a token of an identity provider.
#[derive(Debug)]
pub(super) struct OidcLender {
    sts: Arc<Sts>,
    provider_arn: String,
    token_file: PathBuf,
    role: Role,
}

impl OidcLender {
    /// The token is read from its file for each request: it is replaced there long before it ends.
    pub(super) fn new(sts: Arc<Sts>, provider_arn: String, token_file: PathBuf, role: Role) -> Self {
        Self { sts, provider_arn, token_file, role }
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let source = SecretSource::File(self.token_file.clone());
        let token = source.load(&|_| None, None).map_err(|error| {
            let text = format!("account `{}`: the token: {error}", self.sts.account);
            CallError::new(CallErrorKind::KeyDenied, ASSUME_ROLE_WITH_OIDC, text)
        })?;
        let token = token.expose().trim();
        let lent = self.sts.assume_role_with_oidc(&self.provider_arn, Secret::new(token), &self.role).await;
        lent.map_err(|error| self.sts.explain(error, &self.role))
    }
}

impl Lender for OidcLender {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        ASSUME_ROLE_WITH_OIDC
    }
}
