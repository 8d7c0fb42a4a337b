//! The environment variables that a cloud's default chain knows, as they were when the account was made.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// Some of them are keys, so all of them are held as secrets.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<&'static str, Secret>);

impl Environment {
    /// Asks `env` for these variables; one that is empty counts as not set.
    pub fn capture(names: &[&'static str], env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&'static str| {
            let value = env(name).filter(|value| !value.trim().is_empty())?;
            Some((*name, Secret::new(value.trim())))
        };
        Self(names.iter().filter_map(set).collect())
    }

    /// The value of one of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }

    /// The same, where it is a key.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.0.get(name).cloned()
    }

    /// Whether one says yes.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_kept_and_nothing_shows() {
        let env = |name: &str| match name {
            "KEY" => Some(" HUNTER2\n".to_owned()),
            "BLANK" => Some("  ".to_owned()),
            "FLAG" => Some("True".to_owned()),
            _ => Some("other".to_owned()),
        };
        let found = Environment::capture(&["KEY", "BLANK", "FLAG"], &env);
        assert_eq!(found.get("KEY"), Some("HUNTER2"));
        assert_eq!((found.get("BLANK"), found.get("OTHER")), (None, None));
        assert!(found.is_true("FLAG") && !found.is_true("KEY") && !found.is_true("OTHER"));
        assert!(!format!("{found:?}").contains("HUNTER2"));
    }
}
