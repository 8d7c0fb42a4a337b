//! The keys of an account table that only Huawei Cloud has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use toml::Value;

use super::credentials::{self as lenders, Places, SignPost};
use super::{Api, Huawei, Rhythm, Templates, Wanted, sign};
use crate::clock::Clock;
use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::http::{Outgoing, Route, secret_header};
use crate::provider::settings::{AccountSettings, Credentials, credentials, endpoints, show_endpoints};
use crate::provider::{BuildError, Order, Provider};

/// The caches, who may do what, and temporary keys.
pub(super) const ENDPOINTS: &[&str] = &["dcs", "iam", "sts"];

const JSON: &str = "application/json";
const KEYS: [&str; 2] = ["access_key", "secret_key"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Where the keys come from.
    pub credentials: Credentials,
    /// An agency to act for.
    pub assume_role: Option<Agency>,
    /// Addresses in place of the usual ones; keys are `dcs`, `iam` and `sts`.
    pub endpoints: BTreeMap<&'static str, Endpoint>,
}

/// An agency of another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    /// Its name.
    pub agency: String,
    /// Name of the account that made it.
    pub domain: String,
}

/// Reads them from an account table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn AccountSettings>> {
    let credentials = credentials(fields, KEYS);
    let assume_role = fields.table("assume_role", agency);
    let endpoints = endpoints(fields, ENDPOINTS);
    Some(Box::new(Settings { credentials: credentials?, assume_role, endpoints }))
}

/// Makes an account of them.
pub(super) fn build(order: &Order<'_>) -> Result<Arc<dyn Provider>, BuildError> {
    let settings = (order.settings as &dyn Any).downcast_ref::<Settings>();
    let settings = settings.expect("a cloud builds accounts only of settings that it has read");
    let sign = sign_post(order.http.clock().clone());
    let keys = lenders::source(order, settings, sign, &Places::default())?;
    let provider: Arc<str> = Huawei::NAME.into();
    let route = settings.route(order.proxy);
    let on_loopback = route.only_loopback;
    let http =
        order.http.account(&provider, order.account, route, order.rate_limit).map_err(BuildError::Http)?;
    let template = |key: &str| settings.endpoints.get(key).map(|endpoint| endpoint.template().to_owned());
    let templates = Templates { dcs: template("dcs"), iam: template("iam") };
    let api = Api::new(http, keys, templates, on_loopback);
    let own = |list: Option<&[String]>| list.map(<[String]>::to_vec);
    let wanted = Wanted { regions: own(order.regions), projects: own(order.projects) };
    Ok(Arc::new(Huawei::new(api, Arc::clone(order.account), wanted, Rhythm::default())))
}

/// How a request for an agency is signed: like every call, with its body and without a project.
fn sign_post(clock: Clock) -> SignPost {
    Arc::new(move |keys, url, body| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, date) = (format!("/{path}"), sign::timestamp(clock.now()));
        let token = keys.token.as_ref().map(|token| ("x-security-token", token.expose()));
        let signed: Vec<(&'static str, &str)> =
            [("host", host), ("x-sdk-date", &*date)].into_iter().chain(token).collect();
        let hash = sign::payload_hash(Some(JSON), body);
        let request = sign::SignRequest::new("POST", &path, "", &signed, &hash);
        let authorization = request.authorization(keys.id.expose(), keys.secret.expose(), &date);
        let sent = signed.iter().skip(1).copied().chain([("authorization", authorization.as_str())]);
        let sent = sent.filter_map(|(name, value)| secret_header(name, value.to_owned()));
        let mut headers: HeaderMap = sent.collect();
        headers.insert("content-type", HeaderValue::from_static(JSON));
        Outgoing { method: Method::POST, url: url.to_owned(), headers, body: body.clone() }
    })
}

impl Settings {
    /// STS is not called, so its address does not matter.
    fn route(&self, proxy: Option<&str>) -> Route {
        let is_plain = |key: &&str| {
            self.endpoints.get(key).is_some_and(|endpoint| endpoint.template().starts_with("http://"))
        };
        let called = ["dcs", "iam"];
        let (plain_http, only_loopback) = (called.iter().any(is_plain), called.iter().all(is_plain));
        Route { proxy: proxy.map(str::to_owned), plain_http, only_loopback }
    }
}

fn agency(fields: &mut Fields<'_>) -> Option<Agency> {
    let example = "assume_role = { agency = \"NAME\", domain = \"ACCOUNT_NAME\" }";
    let agency = fields.require("agency", example).string("agency");
    let domain = fields.require("domain", example).string("domain");
    Some(Agency { agency: agency?, domain: domain? })
}

impl AccountSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        self.credentials.secrets()
    }

    fn effective(&self) -> Entries {
        show::present([
            ("credentials", Some(self.credentials.effective(KEYS))),
            ("assume_role", self.assume_role.as_ref().map(Agency::effective)),
            ("endpoints", show_endpoints(&self.endpoints)),
        ])
    }
}

impl Agency {
    fn effective(&self) -> Value {
        let Self { agency, domain } = self;
        show::table([("agency", Value::from(agency.as_str())), ("domain", Value::from(domain.as_str()))])
    }
}
