//! Where the keys of an account of Huawei Cloud come from: written, from the SDK's own chain, from the machine; and on
//! top of any of them an agency of another account.
//!
//! The request for an agency is signed like every other one, by a function that is handed in: this file knows nothing
//! of signatures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::{Agency, Settings};
use crate::call::{CallError, CallErrorKind, clean};
use crate::clock::Clock;
use crate::http::{AccountHttp, Answer, Call, Keeping, Outgoing, Route};
use crate::provider::keys::{
    Environment, Found, Ini, KeySource, Keys, Lender, LentKeys, Nearby, default_chain, fits_a_header,
    lent_keys, written,
};
use crate::provider::settings::Credentials;
use crate::provider::{BoxFuture, BuildError, Order, Role};
use crate::secret::Secret;

const PROVIDER: &str = "huawei";
const AGENCY: &str = "iam:SecurityTokens";
const METADATA_TOKEN: &str = "ecs-metadata:Token";
const METADATA_KEYS: &str = "ecs-metadata:SecurityKey";
/// No honest answer is longer.
const LIMIT: usize = 64 * 1024;
/// What helps where keys are not lent.
pub(super) const ROLES: &[Role] = &[
    Role {
        action: AGENCY,
        way_out: "look at `assume_role`: is there an agency `agency` at the account `domain`, does it trust the account \
                  that asks, and may the key in `credentials` act for agencies (`Agent Operator`)?",
    },
    Role { action: METADATA_TOKEN, way_out: MACHINE },
    Role { action: METADATA_KEYS, way_out: MACHINE },
];

const MACHINE: &str = "give this machine an agency (cloud service agency for ECS) that grants the reading policy, or \
                       name another source in `credentials`";

/// Life of an agency's keys, in seconds (the cloud takes 900 to 86400).
const SESSION: u32 = 3600;
/// Serves every region.
const IAM: &str = "https://iam.myhuaweicloud.com";
/// Where a template without a region in it is asked for one.
const ANY_REGION: &str = "cn-north-4";

/// Signs a `POST` with a JSON body to IAM, without a project: keys, URL, body.
pub type SignPost = Arc<dyn Fn(&Keys, &str, &Bytes) -> Outgoing + Send + Sync>;

/// Addresses that no configuration can change; tests put simulated ones in their place.
#[derive(Debug, Clone)]
pub struct Places {
    /// The metadata service.
    pub metadata: String,
}

impl Default for Places {
    fn default() -> Self {
        Self { metadata: "http://169.254.169.254".to_owned() }
    }
}

/// The source of an account's keys.
///
/// # Errors
/// Something that is written cannot be read, the default chain leads to something broken, or no HTTP client can be
/// made.
pub fn source(
    order: &Order<'_>,
    settings: &Settings,
    sign: SignPost,
    places: &Places,
) -> Result<Arc<dyn KeySource>, BuildError> {
    let env = Environment::capture(VARIABLES, order.env);
    let machine = Machine(Arc::new(Nearby::new(order, PROVIDER, &places.metadata)?));
    let clock = order.http.clock().clone();
    let base = match &settings.credentials {
        Credentials::Written(pair) => written(order, pair, fits_a_header)?,
        Credentials::InstanceRole => machine.keys(order.account, &clock),
        Credentials::Default => {
            let (account, clock) = (Arc::clone(order.account), clock.clone());
            let files: Vec<PathBuf> = credentials_file(&env).into_iter().collect();
            let find = move |contents: &[Option<Secret>]| {
                let path = credentials_file(&env);
                chain(&env, path.as_deref().zip(contents.first().and_then(Option::as_ref)))
            };
            default_chain(order, files, fits_a_header, find, move || machine.keys(&account, &clock))?
        }
    };
    let Some(agency) = &settings.assume_role else { return Ok(base) };
    let lender = AgencyLender::new(order, settings, agency, base, sign)?;
    Ok(Arc::new(LentKeys::new(order.account, Box::new(lender), &clock)))
}

const AK: &str = "HUAWEICLOUD_SDK_AK";
const SK: &str = "HUAWEICLOUD_SDK_SK";
const TOKEN: &str = "HUAWEICLOUD_SDK_SECURITY_TOKEN";
const IDP: &str = "HUAWEICLOUD_SDK_IDP_ID";
const ID_TOKEN: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";
const FILE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
const HOME: &str = "HOME";

/// Every variable that the chain looks at.
const VARIABLES: &[&str] = &[AK, SK, TOKEN, IDP, ID_TOKEN, FILE, HOME];

/// The section for services of a region; ours is one.
const SECTION: &str = "basic";

/// Why the chain leads nowhere. Carries names, never values.
#[derive(Debug, thiserror::Error)]
enum ChainError {
    #[error("{0} is set, and {1} is not")]
    Half(&'static str, &'static str),
    #[error(
        "{0} are set: identity providers are not supported; possible: {AK} and {SK}, a credentials file, the role of the machine"
    )]
    Provider(String),
    #[error("{}: {problem}", file.display())]
    File { file: PathBuf, problem: String },
}

fn credentials_file(env: &Environment) -> Option<PathBuf> {
    let at_home = || env.get(HOME).map(|home| Path::new(home).join(".huaweicloud/credentials"));
    env.get(FILE).map(PathBuf::from).or_else(at_home)
}

/// The SDK's own order: identity provider, environment, file; `None`: the machine has to be asked.
fn chain(env: &Environment, file: Option<(&Path, &Secret)>) -> Result<Option<Found>, ChainError> {
    if env.get(IDP).is_some() && env.get(ID_TOKEN).is_some() {
        return Err(ChainError::Provider(format!("{IDP} and {ID_TOKEN}")));
    }
    match (env.secret(AK), env.secret(SK)) {
        (Some(id), Some(secret)) => {
            let origin = format!("{AK} and {SK}");
            return Ok(Some(Found { id, secret, token: env.secret(TOKEN), origin }));
        }
        (Some(_), None) => return Err(ChainError::Half(AK, SK)),
        (None, Some(_)) => return Err(ChainError::Half(SK, AK)),
        (None, None) => {}
    }
    let Some((file, text)) = file else { return Ok(None) };
    let failed = |problem: String| ChainError::File { file: file.to_owned(), problem };
    let ini = Ini::parse(text.expose(), false).map_err(|error| failed(error.to_string()))?;
    let missing = |key: &str| failed(format!("section [{SECTION}] has no `{key}`"));
    match (ini.secret(SECTION, "ak"), ini.secret(SECTION, "sk")) {
        (Some(id), Some(secret)) => {
            let origin = format!("{}: section [{SECTION}]", file.display());
            Ok(Some(Found { id, secret, token: ini.secret(SECTION, "security_token"), origin }))
        }
        (Some(_), None) => Err(missing("sk")),
        (None, Some(_)) => Err(missing("ak")),
        (None, None) if ini.get(SECTION, "idp_id").is_some() => {
            Err(ChainError::Provider(format!("idp_id and id_token_file of {}", file.display())))
        }
        (None, None) => Ok(None),
    }
}

/// The role of the machine (an agency for the ECS service).
#[derive(Debug, Clone)]
struct Machine(Arc<Nearby>);

impl Machine {
    fn keys(&self, account: &Arc<str>, clock: &Clock) -> Arc<dyn KeySource> {
        Arc::new(LentKeys::new(account, Box::new(self.clone()), clock))
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let token = self.token().await?;
        let headers: Vec<_> =
            token.as_ref().map(|token| ("x-metadata-token", token.expose())).into_iter().collect();
        let path = "/openstack/latest/securitykey";
        let answer = self.0.ask(METADATA_KEYS, Method::GET, path, &headers).await?;
        if answer.status.is_success() {
            return lent_keys(&answer.body, METADATA_KEYS);
        }
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status == StatusCode::UNAUTHORIZED && text.contains("Cloud Service Agency") {
            let text = "this machine has no agency (cloud service agency for ECS)";
            return Err(CallError::new(CallErrorKind::KeyDenied, METADATA_KEYS, text).of_a_refused_role());
        }
        Err(Nearby::refusal(&answer, METADATA_KEYS))
    }

    /// A token first; older platforms have none (404, 405 and 503 there) and answer without.
    async fn token(&self) -> Result<Option<Secret>, CallError> {
        let (path, ttl) = ("/meta-data/latest/api/token", ("x-metadata-token-ttl-seconds", "21600"));
        let answer = self.0.ask(METADATA_TOKEN, Method::PUT, path, &[ttl]).await?;
        match answer.status.as_u16() {
            404 | 405 | 503 => Ok(None),
            _ => Nearby::word(&answer, METADATA_TOKEN).map(|token| Some(Secret::new(token))),
        }
    }
}

impl Lender for Machine {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        METADATA_KEYS
    }

    fn actions(&self) -> Vec<&'static str> {
        vec![METADATA_TOKEN, METADATA_KEYS]
    }
}

/// Lends the keys of an agency to whoever has other keys.
struct AgencyLender {
    http: AccountHttp,
    account: Arc<str>,
    url: String,
    body: Bytes,
    agency: Agency,
    base: Arc<dyn KeySource>,
    sign: SignPost,
}

impl AgencyLender {
    fn new(
        order: &Order<'_>,
        settings: &Settings,
        agency: &Agency,
        base: Arc<dyn KeySource>,
        sign: SignPost,
    ) -> Result<Self, BuildError> {
        let region = order.regions.and_then(|regions| regions.first()).map_or(ANY_REGION, String::as_str);
        let iam = settings.endpoints.get("iam").map(|endpoint| endpoint.for_region(region));
        let iam = iam.unwrap_or_else(|| IAM.to_owned());
        let plain = iam.starts_with("http://");
        let proxy = order.proxy.map(str::to_owned);
        let route = Route { proxy, plain_http: plain, only_loopback: plain };
        let provider = Arc::from(PROVIDER);
        let http = order.http.account(&provider, order.account, route, None).map_err(BuildError::Http)?;
        let Agency { agency: name, domain } = agency;
        let wanted = json!({"agency_name": name, "domain_name": domain, "duration_seconds": SESSION});
        let body = json!({"auth": {"identity": {"methods": ["assume_role"], "assume_role": wanted}}});
        Ok(Self {
            http,
            account: Arc::clone(order.account),
            url: format!("{iam}/v3.0/OS-CREDENTIAL/securitytokens"),
            body: Bytes::from(body.to_string()),
            agency: agency.clone(),
            base,
            sign,
        })
    }

    async fn ask(&self) -> Result<Keys, CallError> {
        let keys = self.base.keys().await?;
        let region = Arc::from("");
        let call =
            Call { action: AGENCY, region: &region, limit: LIMIT, repeatable: true, keeping: Keeping::FORM };
        let outgoing = || (self.sign)(&keys, &self.url, &self.body);
        let mut refused = false;
        let read = |answer: Answer| {
            refused = answer.status == StatusCode::UNAUTHORIZED;
            if answer.status.is_success() {
                return lent_keys(&answer.body, AGENCY);
            }
            Err(refusal(&answer, &keys))
        };
        let lent = self.http.call(call, outgoing, read).await;
        if refused {
            self.base.refused(&keys);
        }
        lent.map_err(|error| {
            let Agency { agency, domain } = &self.agency;
            let who = format!("account `{}`, agency {agency} of {domain}: {}", self.account, error.message);
            CallError { message: CallError::new(error.kind, AGENCY, who).message, ..error }
        })
    }
}

impl std::fmt::Debug for AgencyLender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, agency, base, .. } = self;
        f.debug_struct("AgencyLender")
            .field("url", url)
            .field("agency", agency)
            .field("base", base)
            .finish_non_exhaustive()
    }
}

impl Lender for AgencyLender {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        AGENCY
    }

    fn actions(&self) -> Vec<&'static str> {
        self.base.actions().into_iter().chain([AGENCY]).collect()
    }
}

/// IAM's two shapes of an error.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error_code: String,
    error_msg: String,
    error: Value,
}

/// Decided by the status, which IAM uses well; a refused agency closes the whole account, like a refused key.
fn refusal(answer: &Answer, keys: &Keys) -> CallError {
    let refusal = serde_json::from_slice::<Refusal>(&answer.body).unwrap_or_default();
    let inner = |key: &str| refusal.error.get(key).and_then(Value::as_str).unwrap_or_default();
    let code = [&*refusal.error_code, inner("title")].into_iter().find(|code| !code.is_empty());
    let message = if refusal.error_msg.is_empty() { inner("message") } else { &refusal.error_msg };
    let message = keys.censored(message);
    let status = answer.status.as_u16();
    let throttled = matches!(code, Some("IAM.0012" | "APIGW.0308"));
    let (kind, text) = match status {
        _ if throttled => (CallErrorKind::Throttled(None), clean(&message)),
        429 => (CallErrorKind::Throttled(None), clean(&message)),
        // its message can repeat what was signed, a token included
        401 => (CallErrorKind::KeyDenied, "the key was not accepted".to_owned()),
        403 => (CallErrorKind::KeyDenied, format!("not allowed to act for it: {message}")),
        404 => (CallErrorKind::KeyDenied, format!("there is no such agency: {message}")),
        500.. => (CallErrorKind::Unreachable, format!("IAM answered {status}")),
        _ => (CallErrorKind::Refused, format!("IAM answered {status}: {message}")),
    };
    let error = CallError::new(kind, AGENCY, text);
    let error = if matches!(status, 403 | 404) { error.of_a_refused_role() } else { error };
    match code {
        Some(code) => error.with_code(code, None),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(set: &[(&str, &str)], file: Option<&str>) -> Result<String, String> {
        let find =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let env = Environment::capture(VARIABLES, &find);
        let text = file.map(Secret::new);
        let file = text.as_ref().map(|text| (Path::new("/c"), text));
        let word = |found: Option<Found>| match found {
            Some(Found { id, token, .. }) => {
                format!("{}{}", id.expose(), if token.is_some() { "+token" } else { "" })
            }
            None => "machine".to_owned(),
        };
        chain(&env, file).map(word).map_err(|error| error.to_string())
    }

    #[test]
    fn the_chain_is_that_of_the_sdk() {
        let basic = "[basic]\nak = file\nsk = HUNTER2\nsecurity_token = HUNTER2\n[global]\ndomain_id = d\n";
        for (name, set, file, want) in [
            ("environment first", vec![(AK, "env"), (SK, "HUNTER2")], Some(basic), Ok("env")),
            ("with a token", vec![(AK, "env"), (SK, "HUNTER2"), (TOKEN, "t")], None, Ok("env+token")),
            ("then the file", vec![], Some(basic), Ok("file+token")),
            ("then the machine", vec![], None, Ok("machine")),
            ("a file about something else", vec![], Some("[global]\nak = x"), Ok("machine")),
            (
                "half a key",
                vec![(AK, "HUNTER2")],
                Some(basic),
                Err("HUAWEICLOUD_SDK_AK is set, and HUAWEICLOUD_SDK_SK is not"),
            ),
            ("half a file", vec![], Some("[basic]\nak = HUNTER2"), Err("/c: section [basic] has no `sk`")),
            ("no INI", vec![], Some("HUNTER2"), Err("/c: line 1 is neither")),
            (
                "an identity provider",
                vec![(IDP, "HUNTER2"), (ID_TOKEN, "/t"), (AK, "env"), (SK, "s")],
                None,
                Err(
                    "HUAWEICLOUD_SDK_IDP_ID and HUAWEICLOUD_SDK_ID_TOKEN_FILE are set: identity providers are not supported",
                ),
            ),
            (
                "one in the file",
                vec![],
                Some("[basic]\nidp_id = HUNTER2\nid_token_file = /t"),
                Err("idp_id and id_token_file of /c are set"),
            ),
        ] {
            match (found(&set, file), want) {
                (Ok(found), Ok(want)) => assert_eq!(found, want, "{name}"),
                (Err(error), Err(want)) => {
                    assert!(error.contains(want) && !error.contains("HUNTER2"), "{name}: {error}");
                }
                (found, want) => panic!("{name}: {found:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn refusals_of_iam_are_told_apart() {
        use CallErrorKind::{KeyDenied, Refused, Throttled, Unreachable};
        let id = Secret::new("AK");
        let keys = Keys { id, secret: Secret::new("HUNTER2"), token: None, expires: None };
        for (status, body, kind, want) in [
            (
                401,
                r#"{"error_code":"APIGW.0301","error_msg":"canonicalRequest:x-security-token:HUNTER2"}"#,
                KeyDenied,
                "(APIGW.0301)",
            ),
            (
                403,
                r#"{"error":{"code":403,"message":"no rights","title":"Forbidden"}}"#,
                KeyDenied,
                "(Forbidden): not allowed to act for it: no rights",
            ),
            (
                404,
                r#"{"error_msg":"unknown","error_code":"IAM.0004"}"#,
                KeyDenied,
                "there is no such agency: unknown",
            ),
            (429, "", Throttled(None), "throttled"),
            (400, r#"{"error_msg":"slow","error_code":"IAM.0012"}"#, Throttled(None), "slow"),
            (400, "HUNTER2", Refused, "IAM answered 400"),
            (503, "<html>", Unreachable, "IAM answered 503"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer =
                Answer { status, headers: reqwest::header::HeaderMap::default(), body: Bytes::from(body) };
            let error = refusal(&answer, &keys);
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.to_string().contains(want) && !error.to_string().contains("HUNTER2"), "{error}");
        }
    }
}
