//! What the account tables of all clouds have in common: keys to sign with, and addresses to call.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Endpoint, Fields, SecretSetting, no_check};

/// The settings of one account that only its cloud understands. Its `build` gets its own type back by
/// `downcast_ref` (the trait is `Any`).
pub trait AccountSettings: Any + fmt::Debug + Send + Sync {
    /// Every secret in it, with the position where it is written.
    fn secrets(&self) -> Vec<&SecretSetting>;

    /// The settings for people, literal secrets hidden, in documented order.
    fn effective(&self) -> Entries;
}

/// Two halves of a key, and the token that makes a temporary one complete.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// The half that names the key.
    pub id: SecretSetting,
    /// The half that signs.
    pub secret: SecretSetting,
    /// Of a temporary key.
    pub security_token: Option<SecretSetting>,
}

const SECURITY_TOKEN: &str = "security_token";

/// Reads the table `credentials`; `names` are the cloud's own words for the two halves.
pub fn credentials(fields: &mut Fields<'_>, names: [&'static str; 2]) -> Option<KeyPair> {
    let example = example(names);
    fields.require("credentials", &example);
    fields.table("credentials", |fields| {
        if fields.has("source") {
            return foreign_source(fields, names, &example);
        }
        let [id, secret] = names.map(|name| fields.require(name, &example).secret(name, no_check));
        let security_token = fields.secret(SECURITY_TOKEN, no_check);
        fields.skip("source");
        Some(KeyPair { id: id?, secret: secret?, security_token })
    })
}

/// `{ source = "…" }`: keys that the machine or the environment supplies.
fn foreign_source(fields: &mut Fields<'_>, names: [&'static str; 2], example: &str) -> Option<KeyPair> {
    fields.choice("source", &["default", "instance-role"]);
    for name in names.into_iter().chain([SECURITY_TOKEN]) {
        fields.skip(name);
        if fields.has(name) {
            fields.problem(name, "cannot stand beside `source`", "write either `source` or the keys");
        }
    }
    fields.not_built("source", None, example);
    None
}

fn example([id, secret]: [&str; 2]) -> String {
    format!("credentials = {{ {id} = {{ env = \"NAME\" }}, {secret} = {{ file = \"PATH\" }} }}")
}

/// Reads the table `endpoints`, whose possible keys are `keys`.
pub fn endpoints(fields: &mut Fields<'_>, keys: &[&'static str]) -> BTreeMap<&'static str, Endpoint> {
    let read = |fields: &mut Fields<'_>| {
        let found = keys.iter().map(|key| (*key, fields.parsed(key, Endpoint::parse)));
        Some(found.filter_map(|(key, endpoint)| Some((key, endpoint?))).collect())
    };
    fields.table("endpoints", read).unwrap_or_default()
}

/// The table `credentials` for people.
pub fn show_credentials(
    names: [&'static str; 2],
    pair: [&SecretSetting; 2],
    token: Option<&SecretSetting>,
) -> Value {
    let pair = names.into_iter().zip(pair).chain(token.map(|token| (SECURITY_TOKEN, token)));
    show::table(pair.map(|(name, setting)| (name, show::secret(setting))))
}

/// The table `endpoints` for people; nothing where there is none.
pub fn show_endpoints(endpoints: &BTreeMap<&'static str, Endpoint>) -> Option<Value> {
    let shown = endpoints.iter().map(|(key, endpoint)| (*key, Value::from(endpoint.template())));
    (!endpoints.is_empty()).then(|| show::table(shown))
}
