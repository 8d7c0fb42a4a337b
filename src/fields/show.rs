//! Settings as they are in effect, for people: TOML again, with every literal secret hidden.

use std::time::Duration;

use toml::{Table, Value};

use super::SecretSetting;
use crate::domain::duration::show_duration;
use crate::secret::SecretSource;

/// The keys of one table with their values, in documented order.
pub type Entries = Vec<(&'static str, Value)>;

/// What stands for a literal secret.
pub const HIDDEN: &str = "[hidden]";

/// Where a secret comes from; never the secret.
pub fn secret(setting: &SecretSetting) -> Value {
    let (kind, name) = match &setting.source {
        SecretSource::Literal(_) => return Value::from(HIDDEN),
        SecretSource::Env(name) => ("env", name.clone()),
        SecretSource::File(path) => ("file", path.display().to_string()),
        SecretSource::Credential(name) => ("credential", name.clone()),
    };
    table([(kind, Value::from(name))])
}

/// A length of time, the way it is written.
pub fn duration(duration: Duration) -> Value {
    Value::from(show_duration(duration))
}

/// A list of anything that can be written as text.
pub fn list<T: ToString>(elements: impl IntoIterator<Item = T>) -> Value {
    Value::Array(elements.into_iter().map(|element| Value::from(element.to_string())).collect())
}

/// An inline table.
pub fn table<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<Table>())
}

/// The entries that have a value.
pub fn present<const N: usize>(entries: [(&'static str, Option<Value>); N]) -> Entries {
    entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}
