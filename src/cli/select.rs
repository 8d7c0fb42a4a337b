//! Which scopes, resources and certificates `--match` means, while not everything is known of them.
//!
//! A scope that cannot be read matters to a check if it may hold something that was asked for: with
//! `cloud_account="prod", tag:env="x"` a failing scope of `prod` does and one of `test` does not. So each comparison
//! is judged by itself, and one whose label is not known yet is left open.

use crate::domain::identity::{CertRole, Scope};
use crate::domain::matcher::{Label, LabelSet, Matcher};
use crate::domain::resource::Resource;

/// What `--match` means.
pub(super) struct Selection<'a> {
    alternatives: Vec<Vec<Comparison>>,
    account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
}

/// One `label OP "value"` as an expression of its own.
struct Comparison {
    label: Label,
    holds: Matcher,
}

/// What is known of a label.
enum Known<'v> {
    Value(Option<&'v str>),
    NotYet,
}

impl<'a> Selection<'a> {
    /// Any of these; everything where there is none.
    pub(super) fn new(
        matchers: &[Matcher],
        account_label: &'a dyn Fn(&str, &str) -> Option<&'a str>,
    ) -> Self {
        Self { alternatives: matchers.iter().map(comparisons).collect(), account_label }
    }

    /// Something in this scope may be meant.
    pub(super) fn may_reach_into(&self, scope: &Scope) -> bool {
        self.admits(&|label| self.of_scope(scope, label))
    }

    /// This resource is meant, or one of its certificates may be.
    pub(super) fn may_mean(&self, scope: &Scope, resource: &Resource) -> bool {
        self.admits(&|label| self.of_resource(scope, resource, label))
    }

    /// This certificate is meant.
    pub(super) fn means(&self, scope: &Scope, resource: &Resource, role: CertRole) -> bool {
        self.admits(&|label| match label {
            Label::CertRole => Known::Value(Some(role.as_str())),
            other => self.of_resource(scope, resource, other),
        })
    }

    fn admits<'v>(&self, known: &dyn Fn(&Label) -> Known<'v>) -> bool {
        let may_hold = |comparison: &Comparison| match known(&comparison.label) {
            Known::NotYet => true,
            Known::Value(value) => comparison.holds.matches(&|_| value),
        };
        self.alternatives.is_empty() || self.alternatives.iter().any(|parts| parts.iter().all(may_hold))
    }

    fn of_scope<'v>(&self, scope: &'v Scope, label: &Label) -> Known<'v>
    where
        'a: 'v,
    {
        match label {
            Label::CloudRegion | Label::CloudProject if scope.is_placeholder() => Known::NotYet,
            Label::CloudProvider => Known::Value(Some(&scope.provider)),
            Label::CloudAccount => Known::Value(Some(&scope.account)),
            Label::CloudProject => Known::Value(Some(&scope.project)),
            Label::CloudRegion => Known::Value(Some(&scope.region)),
            Label::CloudService => Known::Value(Some(&scope.service)),
            Label::AccountLabel(key) => Known::Value((self.account_label)(&scope.account, key)),
            _ => Known::NotYet,
        }
    }

    fn of_resource<'v>(&self, scope: &'v Scope, resource: &'v Resource, label: &Label) -> Known<'v>
    where
        'a: 'v,
    {
        match label {
            Label::ResourceId => Known::Value(Some(&resource.id)),
            Label::ResourceName => Known::Value(Some(&resource.facts.name)),
            Label::InUse => Known::Value(resource.facts.in_use_label()),
            Label::Tag(key) => Known::Value(resource.tag(key)),
            other => self.of_scope(scope, other),
        }
    }
}

/// The comparisons of an expression, taken apart in its canonical form.
fn comparisons(matcher: &Matcher) -> Vec<Comparison> {
    let parts = matcher.labels().cloned().zip(parts(&matcher.to_string()));
    parts
        .map(|(label, part)| {
            let holds = Matcher::parse(&part, LabelSet::ALERT);
            Comparison { label, holds: holds.expect("a part of an expression is an expression") }
        })
        .collect()
}

/// Splits at commas outside of quotes.
fn parts(expression: &str) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for character in expression.chars() {
        match character {
            ',' if !quoted => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
        part.push(character);
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
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
            (r#"tag:env="x", cloud_service="rds""#, false),
            (r#"cloud_service="redis", tag:env="x""#, true),
            (r#"resource_name="a, cloud_service=\"rds\"", cloud_region="cn-hangzhou""#, true),
            (r#"tag:"a,\"b\\"="\\\",", cloud_account="test""#, false),
            (r#"cert_role="ca""#, true),
            (r#"label:team="dba""#, true),
            (r#"label:team="web""#, false),
        ] {
            assert_eq!(selection(&[expression], &team).may_reach_into(&scope("redis")), want, "{expression}");
        }
    }

    #[test]
    fn while_regions_are_unknown_no_region_is_ruled_out() {
        let mut unknown = scope("redis");
        unknown.region = "".into();
        assert!(selection(&[r#"cloud_region="cn-beijing""#], &team).may_reach_into(&unknown));
        assert!(!selection(&[r#"cloud_account="test""#], &team).may_reach_into(&unknown));
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

    #[test]
    fn a_role_is_known_only_of_a_certificate() {
        let (scope, resource, selection) =
            (scope("dcs"), resource("r-1"), selection(&[r#"cert_role="ca""#], &team));
        assert!(selection.may_mean(&scope, &resource) && selection.means(&scope, &resource, CertRole::Ca));
        assert!(!selection.means(&scope, &resource, CertRole::Server));
    }
}
