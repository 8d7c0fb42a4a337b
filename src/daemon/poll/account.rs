//! An account as the poll loop sees it: a provider to ask, a filter, and a gate before its key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::described::Described;
use crate::domain::gate::Gate;
use crate::domain::hash::stable_hash;
use crate::domain::identity::Scope;
use crate::domain::listing::Listed;
use crate::domain::matcher::Matcher;
use crate::provider::Provider;

/// An account to be polled.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name, the label `cloud_account`.
    pub name: Arc<str>,
    /// Code of its cloud, the label `cloud_provider`.
    pub provider_name: Arc<str>,
    /// The services to look at.
    pub services: Vec<&'static str>,
    /// Whom to ask.
    pub provider: Arc<dyn Provider>,
    /// What to keep of the listings.
    pub filter: Filter,
}

/// Which resources an account keeps.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A resource matching any is kept; empty: all.
    pub include: Vec<Matcher>,
    /// A resource matching any is left out.
    pub exclude: Vec<Matcher>,
    /// The account's own labels, `label:KEY` in expressions.
    pub labels: BTreeMap<String, String>,
    /// Fingerprint of the regions and projects that are configured.
    pub places: u64,
}

impl Filter {
    /// Whether a listed resource is kept.
    pub fn keeps(&self, scope: &Scope, listed: &Listed) -> bool {
        let account_label = |key: &str| self.labels.get(key).map(String::as_str);
        let described = Described {
            scope,
            id: &listed.id,
            facts: &listed.facts,
            role: None,
            account_label: &account_label,
        };
        let included = self.include.is_empty() || self.include.iter().any(|matcher| described.is(matcher));
        included && !self.exclude.iter().any(|matcher| described.is(matcher))
    }

    /// The same number as long as the same resources are kept: a listing that went through another filter is out of
    /// date.
    pub fn fingerprint(&self) -> u64 {
        let include = self.include.iter().map(|matcher| format!("+{matcher}"));
        let exclude = self.exclude.iter().map(|matcher| format!("-{matcher}"));
        let labels = self.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let parts: Vec<String> = include.chain(exclude).chain(labels).collect();
        stable_hash(parts.iter().map(String::as_str))
    }
}

/// An account with its gate: a refused key stops all its looks but a gentle probe.
#[derive(Debug)]
pub(super) struct AccountState {
    pub account: Account,
    pub gate: Gate,
    /// When its key was accepted last.
    pub accepted_at: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matcher::LabelSet;
    use crate::domain::testing::{listing, scope};

    #[test]
    fn any_include_keeps_and_any_exclude_drops() {
        let matchers = |texts: &[&str]| -> Vec<Matcher> {
            texts.iter().map(|text| Matcher::parse(text, LabelSet::RESOURCE).expect("valid")).collect()
        };
        let mut listed = listing(&["r-1"]).resources.remove(0);
        listed.facts.tags = [("env".into(), "prod".into())].into();
        for (name, include, exclude, want) in [
            ("nothing asked", &[][..], &[][..], true),
            ("a tag", &[r#"tag:env="prod""#], &[], true),
            ("another tag", &[r#"tag:env="dev""#], &[], false),
            ("one of two", &[r#"tag:env="dev""#, r#"cloud_service="redis""#], &[], true),
            ("excluded by name", &[], &[r#"resource_name=~"ord.*""#], false),
            ("included and excluded", &[r#"tag:env="prod""#], &[r#"resource_id="r-1""#], false),
            ("by the account's label", &[r#"label:team="dba""#], &[], true),
        ] {
            let labels = BTreeMap::from([("team".to_owned(), "dba".to_owned())]);
            let filter = Filter { include: matchers(include), exclude: matchers(exclude), labels, places: 0 };
            assert_eq!(filter.keeps(&scope("redis"), &listed), want, "{name}");
        }
    }
}
