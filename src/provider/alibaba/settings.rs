//! The keys of an account table that only Alibaba Cloud has.

use std::collections::BTreeMap;

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fault, Fields, SecretSetting};
use crate::provider::settings::{AccountSettings, credentials, endpoints, show_credentials, show_endpoints};

/// Services whose address can be set, and the one that hands out roles.
pub(super) const ENDPOINTS: &[&str] = &["redis", "rds", "mongodb", "sts"];

const KEYS: [&str; 2] = ["access_key_id", "access_key_secret"];

/// How to sign for an account, and where to call.
#[derive(Debug)]
pub struct Settings {
    /// Names the key.
    pub access_key_id: SecretSetting,
    /// Signs.
    pub access_key_secret: SecretSetting,
    /// Of a temporary key.
    pub security_token: Option<SecretSetting>,
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
    let keys = credentials(fields, KEYS);
    let assume_role = fields.table("assume_role", assume_role);
    fields.not_built("assume_role", None, "give the account a key of its own in `credentials`");
    let endpoints = endpoints(fields, ENDPOINTS);
    let keys = keys?;
    Some(Box::new(Settings {
        access_key_id: keys.id,
        access_key_secret: keys.secret,
        security_token: keys.security_token,
        assume_role,
        endpoints,
    }))
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
        [&self.access_key_id, &self.access_key_secret].into_iter().chain(&self.security_token).collect()
    }

    fn effective(&self) -> Entries {
        let pair = [&self.access_key_id, &self.access_key_secret];
        show::present([
            ("credentials", Some(show_credentials(KEYS, pair, self.security_token.as_ref()))),
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
