//! Which scopes, resources and certificates `--match` means, while not everything is known of them.
//!
//! A scope that cannot be read matters to a check if it may hold something that was asked for: with
//! `cloud_account="prod", tag:env="x"` a failing scope of `prod` does and one of `test` does not.

use crate::domain::described::{Described, DescribedScope};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::matcher::Matcher;
use crate::domain::resource::Resource;

/// What `--match` means.
pub(super) struct Selection<'a> {
    alternatives: Vec<Matcher>,
    account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
}

impl<'a> Selection<'a> {
    /// Any of these; everything where there is none.
    pub(super) fn new(
        matchers: &[Matcher],
        account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
    ) -> Self {
        Self { alternatives: matchers.to_vec(), account_label }
    }

    /// Something in this scope may be meant.
    pub(super) fn may_reach_into(&self, scope: &Scope) -> bool {
        let account_label = |key: &str| (self.account_label)(&scope.account, key);
        let described = DescribedScope { scope, account_label: &account_label };
        self.admits(|matcher| described.may_hold(matcher))
    }

    /// This resource is meant, or one of its certificates may be.
    pub(super) fn may_mean(&self, scope: &Scope, resource: &Resource) -> bool {
        self.admits_resource(scope, resource, None)
    }

    /// This certificate is meant.
    pub(super) fn means(&self, scope: &Scope, resource: &Resource, role: CertRole) -> bool {
        self.admits_resource(scope, resource, Some(role))
    }

    fn admits_resource(&self, scope: &Scope, resource: &Resource, role: Option<CertRole>) -> bool {
        let account_label = |key: &str| (self.account_label)(&scope.account, key);
        let described = Described { role, ..Described::new(scope, resource, &account_label) };
        self.admits(|matcher| described.may_be(matcher))
    }

    fn admits(&self, admits: impl Fn(&Matcher) -> bool) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(admits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matcher::LabelSet;
    use crate::domain::testing::{resource, scope};

    fn selection<'a>(texts: &[&str], label: &'a dyn Fn(&str, &str) -> Option<&'a str>) -> Selection<'a> {
        let matchers: Vec<_> =
            texts.iter().map(|text| Matcher::parse(text, LabelSet::CERTIFICATE).unwrap()).collect();
        Selection::new(&matchers, label)
    }

    fn team<'a>(account: &str, key: &str) -> Option<&'a str> {
        (account == "prod" && key == "team").then_some("dba")
    }

    #[test]
    fn a_scope_matters_unless_it_is_ruled_out() {
        for (expression, want) in [
            (r#"cloud_service="redis""#, true),
            (r#"cloud_service="rds""#, false),
            (r#"cloud_service="redis", tag:env="x""#, true),
            (r#"label:team="dba""#, true),
            (r#"label:team="web""#, false),
        ] {
            assert_eq!(selection(&[expression], &team).may_reach_into(&scope("redis")), want, "{expression}");
        }
    }

    #[test]
    fn any_of_several_is_enough_and_none_means_everything() {
        let (scope, resource) = (scope("redis"), resource("r-1"));
        for (name, texts, want) in [
            ("none", &[][..], true),
            ("second", &[r#"resource_id="r-2""#, r#"resource_id="r-1""#], true),
            ("neither", &[r#"resource_id="r-2""#, r#"resource_name="x""#], false),
            ("absent tag is empty", &[r#"tag:env="""#], true),
        ] {
            let selection = selection(texts, &team);
            assert_eq!(selection.may_mean(&scope, &resource), want, "{name}");
            assert_eq!(selection.means(&scope, &resource, CertRole::Server), want, "{name}");
        }
    }
}
