//! The keys of an account table that only UCloud has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Api, UCloud};
use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::http::Route;
use crate::provider::keys::{FixedKeys, Keys};
use crate::provider::settings::{AccountSettings, credentials, endpoints, show_credentials, show_endpoints};
use crate::provider::{BuildError, Order, Provider};
use crate::secret::Secret;

/// One gateway serves every region.
pub(super) const ENDPOINTS: &[&str] = &["ulb"];

const KEYS: [&str; 2] = ["public_key", "private_key"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Names the key.
    pub public_key: SecretSetting,
    /// Signs.
    pub private_key: SecretSetting,
    /// Of a temporary key.
    pub security_token: Option<SecretSetting>,
    /// Addresses in place of the usual one; the only key is `ulb`.
    pub endpoints: BTreeMap<&'static str, Endpoint>,
}

/// Reads them from an account table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn AccountSettings>> {
    let keys = credentials(fields, KEYS);
    let endpoints = endpoints(fields, ENDPOINTS);
    let keys = keys?;
    Some(Box::new(Settings {
        public_key: keys.id,
        private_key: keys.secret,
        security_token: keys.security_token,
        endpoints,
    }))
}

/// Makes an account of them.
pub(super) fn build(order: &Order<'_>) -> Result<Arc<dyn Provider>, BuildError> {
    let settings = (order.settings as &dyn Any).downcast_ref::<Settings>();
    let settings = settings.expect("a cloud builds accounts only of settings that it has read");
    let secret = |setting: &SecretSetting| plain_text(setting, order);
    let keys = FixedKeys::new(Keys {
        id: secret(&settings.public_key)?,
        secret: secret(&settings.private_key)?,
        token: settings.security_token.as_ref().map(secret).transpose()?,
        expires: None,
    });
    let template = settings.endpoints.get("ulb").map(|endpoint| endpoint.template().to_owned());
    let plain_http = template.as_ref().is_some_and(|template| template.starts_with("http://"));
    let route = Route { proxy: order.proxy.map(str::to_owned), plain_http, only_loopback: plain_http };
    let provider: Arc<str> = UCloud::NAME.into();
    let http =
        order.http.account(&provider, order.account, route, order.rate_limit).map_err(BuildError::Http)?;
    let api = Api::new(http, Arc::new(keys), template);
    let [regions, projects] = [order.regions, order.projects].map(|ids| ids.map(<[String]>::to_vec));
    Ok(Arc::new(UCloud::new(api, Arc::clone(order.account), regions, projects)))
}

/// Blanks and every sign may stand in a key; what a terminal would obey is a mistake in a file.
fn plain_text(setting: &SecretSetting, order: &Order<'_>) -> Result<Secret, BuildError> {
    let failed = |source| BuildError::Secret { subject: setting.subject.clone(), source };
    let secret = (order.secret)(setting).map_err(failed)?;
    if secret.expose().chars().any(char::is_control) {
        return Err(BuildError::OddSecret(setting.subject.clone()));
    }
    Ok(secret)
}

impl AccountSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        [&self.public_key, &self.private_key].into_iter().chain(&self.security_token).collect()
    }

    fn effective(&self) -> Entries {
        let pair = [&self.public_key, &self.private_key];
        show::present([
            ("credentials", Some(show_credentials(KEYS, pair, self.security_token.as_ref()))),
            ("endpoints", show_endpoints(&self.endpoints)),
        ])
    }
}
