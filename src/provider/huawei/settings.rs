//! The keys of an account table that only Huawei Cloud has.

use std::collections::BTreeMap;

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting};
use crate::provider::settings::{AccountSettings, Credentials, credentials, endpoints, show_endpoints};

/// The caches, who may do what, and temporary keys.
pub(super) const ENDPOINTS: &[&str] = &["dcs", "iam", "sts"];

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
