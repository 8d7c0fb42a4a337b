//! The keys of an account table that only UCloud has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::credentials::{self, Places};
use super::{Api, UCloud};
use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::http::Route;
use crate::provider::settings::{self, AccountSettings, Credentials, endpoints, show_endpoints};
use crate::provider::{BuildError, Order, Provider};

/// One gateway serves every region.
pub(super) const ENDPOINTS: &[&str] = &["ulb"];

const KEYS: [&str; 2] = ["public_key", "private_key"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Where the keys come from.
    pub credentials: Credentials,
    /// Addresses in place of the usual one; the only key is `ulb`.
    pub endpoints: BTreeMap<&'static str, Endpoint>,
}

/// Reads them from an account table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn AccountSettings>> {
    let credentials = settings::credentials(fields, KEYS);
    let endpoints = endpoints(fields, ENDPOINTS);
    Some(Box::new(Settings { credentials: credentials?, endpoints }))
}

/// Makes an account of them.
pub(super) fn build(order: &Order<'_>) -> Result<Arc<dyn Provider>, BuildError> {
    let settings = (order.settings as &dyn Any).downcast_ref::<Settings>();
    let settings = settings.expect("a cloud builds accounts only of settings that it has read");
    let keys = credentials::source(order, settings, &Places::default())?;
    let template = settings.endpoints.get("ulb").map(|endpoint| endpoint.template().to_owned());
    let plain_http = template.as_ref().is_some_and(|template| template.starts_with("http://"));
    let route = Route { proxy: order.proxy.map(str::to_owned), plain_http, only_loopback: plain_http };
    let provider: Arc<str> = UCloud::NAME.into();
    let http =
        order.http.account(&provider, order.account, route, order.rate_limit).map_err(BuildError::Http)?;
    let api = Api::new(http, keys, template);
    let [regions, projects] = [order.regions, order.projects].map(|ids| ids.map(<[String]>::to_vec));
    Ok(Arc::new(UCloud::new(api, Arc::clone(order.account), regions, projects)))
}

impl AccountSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        self.credentials.secrets()
    }

    fn effective(&self) -> Entries {
        show::present([
            ("credentials", Some(self.credentials.effective(KEYS))),
            ("endpoints", show_endpoints(&self.endpoints)),
        ])
    }
}
