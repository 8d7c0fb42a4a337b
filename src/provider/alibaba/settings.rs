//! The keys of an account table that only Alibaba Cloud has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Value;

use super::credentials::{self, Places};
use super::{Alibaba, Api, Templates};
use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fault, Fields, SecretSetting};
use crate::http::Route;
use crate::provider::settings::{self, AccountSettings, Credentials, endpoints, show_endpoints};
use crate::provider::{BuildError, Order, Provider};

/// Services whose address can be set, and the one that hands out roles.
pub(super) const ENDPOINTS: &[&str] = &["redis", "rds", "mongodb", "sts"];

const KEYS: [&str; 2] = ["access_key_id", "access_key_secret"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Where the keys come from.
    pub credentials: Credentials,
    /// A role to take on first.
    pub assume_role: Option<AssumeRole>,
    /// Addresses in place of the usual ones; keys are `redis`, `rds`, `mongodb` and `sts`.
    pub endpoints: BTreeMap<&'static str, Endpoint>,
}

/// A role of this or another account (STS AssumeRole).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// `acs:ram::<account id>:role/<name>`.
    pub role_arn: String,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// Shown in the cloud's audit log.
    pub session_name: String,
}

/// Reads them from an account table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn AccountSettings>> {
    let credentials = settings::credentials(fields, KEYS);
    let assume_role = fields.table("assume_role", assume_role);
    let endpoints = endpoints(fields, ENDPOINTS);
    Some(Box::new(Settings { credentials: credentials?, assume_role, endpoints }))
}

/// Makes an account of them.
pub(super) fn build(order: &Order<'_>) -> Result<Arc<dyn Provider>, BuildError> {
    let settings = (order.settings as &dyn Any).downcast_ref::<Settings>();
    let settings = settings.expect("a cloud builds accounts only of settings that it has read");
    let keys = credentials::source(order, settings, &Places::default())?;
    let template =
        |service: &str| settings.endpoints.get(service).map(|endpoint| endpoint.template().to_owned());
    let templates =
        Templates { redis: template("redis"), rds: template("rds"), mongodb: template("mongodb") };
    let provider: Arc<str> = Alibaba::NAME.into();
    let http = order
        .http
        .account(&provider, order.account, settings.route(order.proxy), order.rate_limit)
        .map_err(BuildError::Http)?;
    let api = Api::new(http, keys, templates);
    let regions = order.regions.map(<[String]>::to_vec);
    Ok(Arc::new(Alibaba::new(api, Arc::clone(order.account), regions, order.tags_needed)))
}

impl Settings {
    /// The way to the products.
    fn route(&self, proxy: Option<&str>) -> Route {
        let products: Vec<&str> = ENDPOINTS.iter().copied().filter(|service| *service != "sts").collect();
        self.route_to(&products, proxy)
    }

    /// The way to the one who hands out roles, which may be another one.
    pub(super) fn route_to_sts(&self, proxy: Option<&str>) -> Route {
        self.route_to(&["sts"], proxy)
    }

    fn route_to(&self, services: &[&str], proxy: Option<&str>) -> Route {
        let is_plain = |service: &&str| {
            self.endpoints.get(service).is_some_and(|endpoint| endpoint.template().starts_with("http://"))
        };
        let (plain_http, only_loopback) = (services.iter().any(is_plain), services.iter().all(is_plain));
        Route { proxy: proxy.map(str::to_owned), plain_http, only_loopback }
    }
}

fn assume_role(fields: &mut Fields<'_>) -> Option<AssumeRole> {
    let role_arn = fields.require("role_arn", "role_arn = \"acs:ram::123456789012****:role/notafter\"");
    let role_arn = role_arn.parsed("role_arn", arn);
    let external_id = fields.parsed("external_id", |text| length(text, 2, 1224));
    let session_name = fields.parsed("session_name", session_name);
    let session_name = session_name.unwrap_or_else(|| "notafter".to_owned());
    Some(AssumeRole { role_arn: role_arn?, external_id, session_name })
}

fn arn(text: &str) -> Result<String, Fault> {
    let parts: Vec<_> = text.split(':').collect();
    match parts[..] {
        ["acs", "ram", "", account, role]
            if account.bytes().all(|byte| byte.is_ascii_digit())
                && !account.is_empty()
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Fault::new("is not the ARN of a role", "acs:ram::ACCOUNT_ID:role/NAME")),
    }
}

/// What STS takes as session name: 2–64 of `A–Z a–z 0–9 . @ - _`.
fn session_name(text: &str) -> Result<String, Fault> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte)) {
        return length(text, 2, 64);
    }
    Err(Fault::new("holds what no session name may hold", "letters, digits and . @ - _"))
}

fn length(text: &str, least: usize, most: usize) -> Result<String, Fault> {
    if (least..=most).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    Err(Fault::new(format!("must be {least} to {most} characters long"), ""))
}

impl AccountSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        self.credentials.secrets()
    }

    fn effective(&self) -> Entries {
        show::present([
            ("credentials", Some(self.credentials.effective(KEYS))),
            ("assume_role", self.assume_role.as_ref().map(AssumeRole::effective)),
            ("endpoints", show_endpoints(&self.endpoints)),
        ])
    }
}

impl AssumeRole {
    fn effective(&self) -> Value {
        let external_id = self.external_id.as_deref().map(|id| ("external_id", Value::from(id)));
        let always = [
            ("role_arn", Value::from(self.role_arn.as_str())),
            ("session_name", Value::from(self.session_name.as_str())),
        ];
        show::table(always.into_iter().chain(external_id))
    }
}
