//! The keys of an account table that only UCloud has.

use std::collections::BTreeMap;

use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::provider::settings::{AccountSettings, Credentials, credentials, endpoints, show_endpoints};

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
    let credentials = credentials(fields, KEYS);
    let endpoints = endpoints(fields, ENDPOINTS);
    Some(Box::new(Settings { credentials: credentials?, endpoints }))
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
