//! The keys of an account table that only Huawei Cloud has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Value;

use super::{Api, Huawei, Rhythm, Templates, Wanted};
use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::http::Route;
use crate::provider::keys::{FixedKeys, Keys};
use crate::provider::settings::{AccountSettings, credentials, endpoints, show_credentials, show_endpoints};
use crate::provider::{BuildError, Order, Provider};
use crate::secret::Secret;

/// The caches, who may do what, and temporary keys.
pub(super) const ENDPOINTS: &[&str] = &["dcs", "iam", "sts"];

const KEYS: [&str; 2] = ["access_key", "secret_key"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Names the key.
    pub access_key: SecretSetting,
    /// Signs.
    pub secret_key: SecretSetting,
    /// Of a temporary key.
    pub security_token: Option<SecretSetting>,
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
    let keys = credentials(fields, KEYS);
    let assume_role = fields.table("assume_role", agency);
    fields.not_built("assume_role", None, "give the account a key of its own in `credentials`");
    let endpoints = endpoints(fields, ENDPOINTS);
    let keys = keys?;
    Some(Box::new(Settings {
        access_key: keys.id,
        secret_key: keys.secret,
        security_token: keys.security_token,
        assume_role,
        endpoints,
    }))
}

/// Makes an account of them.
pub(super) fn build(order: &Order<'_>) -> Result<Arc<dyn Provider>, BuildError> {
    let settings = (order.settings as &dyn Any).downcast_ref::<Settings>();
    let settings = settings.expect("a cloud builds accounts only of settings that it has read");
    let secret = |setting: &SecretSetting| header_text(setting, order);
    let keys = FixedKeys::new(Keys {
        id: secret(&settings.access_key)?,
        secret: secret(&settings.secret_key)?,
        token: settings.security_token.as_ref().map(secret).transpose()?,
        expires: None,
    });
    let provider: Arc<str> = Huawei::NAME.into();
    let route = settings.route(order.proxy);
    let on_loopback = route.only_loopback;
    let http =
        order.http.account(&provider, order.account, route, order.rate_limit).map_err(BuildError::Http)?;
    let template = |key: &str| settings.endpoints.get(key).map(|endpoint| endpoint.template().to_owned());
    let templates = Templates { dcs: template("dcs"), iam: template("iam") };
    let api = Api::new(http, Arc::new(keys), templates, on_loopback);
    let own = |list: Option<&[String]>| list.map(<[String]>::to_vec);
    let wanted = Wanted { regions: own(order.regions), projects: own(order.projects) };
    Ok(Arc::new(Huawei::new(api, Arc::clone(order.account), wanted, Rhythm::default())))
}

/// Parts of a key travel in headers, where control characters have no place.
fn header_text(setting: &SecretSetting, order: &Order<'_>) -> Result<Secret, BuildError> {
    let failed = |source| BuildError::Secret { subject: setting.subject.clone(), source };
    let secret = (order.secret)(setting).map_err(failed)?;
    if secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(secret);
    }
    Err(BuildError::OddSecret(setting.subject.clone()))
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
        [&self.access_key, &self.secret_key].into_iter().chain(&self.security_token).collect()
    }

    fn effective(&self) -> Entries {
        let pair = [&self.access_key, &self.secret_key];
        show::present([
            ("credentials", Some(show_credentials(KEYS, pair, self.security_token.as_ref()))),
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
