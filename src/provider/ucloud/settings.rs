//! The keys of an account table that only UCloud has.

use std::collections::BTreeMap;

use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::provider::settings::{AccountSettings, credentials, endpoints, show_credentials, show_endpoints};

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
