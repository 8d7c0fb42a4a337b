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

/// The table `credentials`: where the keys of an account come from.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Written down, or written where to find them.
    Written(Box<KeyPair>),
    /// The chain of places where the cloud's own SDKs look.
    Default,
    /// The role of the machine, from its metadata service.
    InstanceRole,
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
pub fn credentials(fields: &mut Fields<'_>, names: [&'static str; 2]) -> Option<Credentials> {
    let example = example(names);
    fields.require("credentials", &example);
    fields.table("credentials", |fields| {
        if fields.has("source") {
            return foreign_source(fields, names);
        }
        let [id, secret] = names.map(|name| fields.require(name, &example).secret(name, no_check));
        let security_token = fields.secret(SECURITY_TOKEN, no_check);
        fields.skip("source");
        let pair = KeyPair { id: id?, secret: secret?, security_token };
        Some(Credentials::Written(Box::new(pair)))
    })
}

const SOURCES: [&str; 2] = ["default", "instance-role"];

/// `{ source = "…" }`: keys that the machine or the environment supplies.
fn foreign_source(fields: &mut Fields<'_>, names: [&'static str; 2]) -> Option<Credentials> {
    let source = fields.choice("source", &SOURCES);
    let mut alone = true;
    for name in names.into_iter().chain([SECURITY_TOKEN]) {
        fields.skip(name);
        if fields.has(name) {
            fields.problem(name, "cannot stand beside `source`", "write either `source` or the keys");
            alone = false;
        }
    }
    match source? {
        "instance-role" => Some(Credentials::InstanceRole),
        _ => Some(Credentials::Default),
    }
    .filter(|_| alone)
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

impl Credentials {
    /// The secrets among them.
    pub fn secrets(&self) -> Vec<&SecretSetting> {
        match self {
            Self::Written(pair) => [&pair.id, &pair.secret].into_iter().chain(&pair.security_token).collect(),
            Self::Default | Self::InstanceRole => Vec::new(),
        }
    }

    /// The table for people; `names` are the cloud's own words for the two halves.
    pub fn effective(&self, names: [&'static str; 2]) -> Value {
        let source = |source: &str| show::table([("source", Value::from(source))]);
        match self {
            Self::Default => source(SOURCES[0]),
            Self::InstanceRole => source(SOURCES[1]),
            Self::Written(_) => {
                let names = names.into_iter().chain([SECURITY_TOKEN]);
                show::table(names.zip(self.secrets()).map(|(name, setting)| (name, show::secret(setting))))
            }
        }
    }
}

/// The table `endpoints` for people; nothing where there is none.
pub fn show_endpoints(endpoints: &BTreeMap<&'static str, Endpoint>) -> Option<Value> {
    let shown = endpoints.iter().map(|(key, endpoint)| (*key, Value::from(endpoint.template())));
    (!endpoints.is_empty()).then(|| show::table(shown))
}
