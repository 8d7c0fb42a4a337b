//! Who may call, where, and how often.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Refusal, Text};

/// What a key may do, in the names of RAM policies (`rds:DescribeDBInstances`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    Everything,
    /// These actions.
    Only(Vec<String>),
    /// Everything but these actions.
    Except(Vec<String>),
}

impl Rights {
    /// Whether the action is allowed.
    pub fn allow(&self, action: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(actions) => actions.iter().any(|allowed| allowed == action),
            Self::Except(actions) => !actions.iter().any(|denied| denied == action),
        }
    }
}

/// The token of temporary credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What must be sent in `x-acs-security-token`.
    pub text: Text,
    /// From then on it is refused.
    pub expires: DateTime<Utc>,
}

/// An access key. It has no `Debug` form, like every key in `notafter`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The access key id.
    pub id: Text,
    /// The access key secret.
    pub secret: Text,
    /// The token, where the credentials are temporary.
    pub token: Option<Token>,
    /// Switched off by its owner.
    pub disabled: bool,
    /// What it may do.
    pub rights: Rights,
}

impl Key {
    /// A permanent key that may do everything.
    pub fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.into(),
            secret: secret.into(),
            token: None,
            disabled: false,
            rights: Rights::Everything,
        }
    }
}

/// An account and its keys.
#[derive(Clone)]
pub struct Account {
    /// The number by which the cloud knows it.
    pub uid: Text,
    /// The name by which the configuration knows it.
    pub name: Text,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A region; all products have the same ones.
#[derive(Debug, Clone)]
pub struct Region {
    /// Region id.
    pub id: Text,
    /// Name in Chinese.
    pub name_zh: Text,
    /// Name in English.
    pub name_en: Text,
    /// Zone ids.
    pub zones: Vec<Text>,
    /// Listed, but no longer in service: calls about it are answered with this error.
    pub refuses: Option<Refusal>,
}

impl Region {
    /// A region with three zones.
    pub fn new(id: &str, name_zh: &str, name_en: &str) -> Self {
        let zones = ["g", "h", "i"].iter().map(|zone| format!("{id}-{zone}").into()).collect();
        Self { id: id.into(), name_zh: name_zh.into(), name_en: name_en.into(), zones, refuses: None }
    }
}

/// How many calls the cloud takes: counted per account, region and API, and only those it takes.
#[derive(Debug, Clone)]
pub struct Quota {
    /// Name of the API (`DescribeInstanceSSL`); `None` for each.
    pub action: Option<Text>,
    /// So many calls
    pub calls: usize,
    /// in any such span of time.
    pub per: TimeDelta,
    /// Sent as `x-acs-retry-after`, milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// How a renewal goes.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// From accepted to ready again.
    pub takes: TimeDelta,
    /// Life of the new certificate, from the moment it is in place.
    pub life: TimeDelta,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_name_what_is_allowed_or_what_is_not() {
        let only = Rights::Only(vec!["rds:DescribeRegions".into()]);
        assert!(only.allow("rds:DescribeRegions") && !only.allow("rds:ListTagResources"));
        let except = Rights::Except(vec!["rds:DescribeRegions".into()]);
        assert!(!except.allow("rds:DescribeRegions") && except.allow("rds:ListTagResources"));
    }
}
