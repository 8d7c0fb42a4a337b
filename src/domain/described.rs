//! Scopes and resources as expressions see them: which label has which value. Every place that matches them asks here.

use super::identity::{CertRole, Scope};
use super::matcher::{Known, Label, Matcher};
use super::resource::{Facts, Resource};

/// The labels of an account, by key.
type AccountLabel<'v> = &'v dyn Fn(&str) -> Option<&'v str>;

/// A scope, apart from what is in it.
#[derive(Clone, Copy)]
pub struct DescribedScope<'v> {
    /// The scope.
    pub scope: &'v Scope,
    /// The labels of its account, by key.
    pub account_label: AccountLabel<'v>,
}

impl DescribedScope<'_> {
    /// Whether an expression means the scope itself: what only a resource has counts as the empty text.
    pub fn is(&self, matcher: &Matcher) -> bool {
        matcher.matches(&|label| self.label(label))
    }

    /// Whether an expression may mean something in it. While the regions of an account are unknown, none is ruled
    /// out.
    pub fn may_hold(&self, matcher: &Matcher) -> bool {
        matcher.may_match(&|label| match label {
            Label::CloudProject | Label::CloudRegion if self.scope.is_placeholder() => Known::NotYet,
            other => self.known(other),
        })
    }
}

impl<'v> DescribedScope<'v> {
    /// The value of a label; `None` for what only a resource has.
    pub fn label(&self, label: &Label) -> Option<&'v str> {
        self.known(label).value()
    }

    fn known(&self, label: &Label) -> Known<'v> {
        let Self { scope, account_label } = *self;
        Known::Value(match label {
            Label::CloudProvider => Some(&scope.provider),
            Label::CloudAccount => Some(&scope.account),
            Label::CloudProject => Some(&scope.project),
            Label::CloudRegion => Some(&scope.region),
            Label::CloudService => Some(&scope.service),
            Label::AccountLabel(key) => account_label(key),
            _ => return Known::NotYet,
        })
    }
}

/// A resource, and one of its certificates where one is meant.
#[derive(Clone, Copy)]
pub struct Described<'v> {
    /// Where it is.
    pub scope: &'v Scope,
    /// The cloud's id.
    pub id: &'v str,
    /// What the listing says of it.
    pub facts: &'v Facts,
    /// The certificate that is meant.
    pub role: Option<CertRole>,
    /// The labels of its account, by key.
    pub account_label: AccountLabel<'v>,
}

impl<'v> Described<'v> {
    /// A resource that is known.
    pub fn new(scope: &'v Scope, resource: &'v Resource, account_label: AccountLabel<'v>) -> Self {
        Self { scope, id: &resource.id, facts: &resource.facts, role: None, account_label }
    }

    /// The value of a label; `None` where it has none, which matches like an empty text.
    pub fn value(&self, label: &Label) -> Option<&'v str> {
        let Self { scope, id, facts, role, account_label } = *self;
        match label {
            Label::ResourceId => Some(id),
            Label::ResourceName => Some(&facts.name),
            Label::CertRole => role.map(CertRole::as_str),
            Label::InUse => facts.in_use_label(),
            Label::Tag(key) => facts.tags.iter().find(|(name, _)| **name == **key).map(|(_, value)| &**value),
            other => DescribedScope { scope, account_label }.known(other).value(),
        }
    }

    /// Whether an expression means it.
    pub fn is(&self, matcher: &Matcher) -> bool {
        matcher.matches(&|label| self.value(label))
    }

    /// Whether an expression means it or, where no certificate is meant, may mean one of its certificates.
    pub fn may_be(&self, matcher: &Matcher) -> bool {
        matcher.may_match(&|label| match label {
            Label::CertRole if self.role.is_none() => Known::NotYet,
            other => Known::Value(self.value(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matcher::LabelSet;
    use crate::domain::testing::{resource, scope};

    fn team<'a>(key: &str) -> Option<&'a str> {
        (key == "team").then_some("dba")
    }

    fn expression(text: &str) -> Matcher {
        Matcher::parse(text, LabelSet::CERTIFICATE).expect(text)
    }

    #[test]
    fn a_scope_may_hold_what_it_does_not_rule_out() {
        let known = scope("redis");
        let unknown = Scope { region: "".into(), ..known.clone() };
        for (text, is, may_hold, may_hold_while_unknown) in [
            (r#"cloud_service="redis", label:team="dba""#, true, true, true),
            (r#"cloud_service="rds""#, false, false, false),
            (r#"label:team="web""#, false, false, false),
            (r#"cloud_region="cn-hangzhou""#, true, true, true),
            (r#"cloud_region="cn-beijing""#, false, false, true),
            (r#"tag:env="x", resource_name="y", cert_role="ca""#, false, true, true),
        ] {
            let matcher = expression(text);
            let known = DescribedScope { scope: &known, account_label: &team };
            assert_eq!((known.is(&matcher), known.may_hold(&matcher)), (is, may_hold), "{text}");
            let unknown = DescribedScope { scope: &unknown, account_label: &team };
            assert_eq!(unknown.may_hold(&matcher), may_hold_while_unknown, "{text}");
        }
    }

    #[test]
    fn a_role_is_known_only_of_a_certificate() {
        let (scope, resource, matcher) = (scope("dcs"), resource("r-1"), expression(r#"cert_role="ca""#));
        for (role, is, may_be) in
            [(None, false, true), (Some(CertRole::Ca), true, true), (Some(CertRole::Server), false, false)]
        {
            let described = Described { role, ..Described::new(&scope, &resource, &team) };
            assert_eq!((described.is(&matcher), described.may_be(&matcher)), (is, may_be), "{role:?}");
        }
    }

    #[test]
    fn every_label_of_a_resource_can_be_asked_for() {
        let scope = scope("redis");
        let mut resource = resource("r-1");
        resource.facts.tags = [("env".into(), "prod".into())].into();
        resource.facts.in_use = Some(true);
        let described = Described { role: Some(CertRole::Ca), ..Described::new(&scope, &resource, &team) };
        for (text, want) in [
            (
                r#"cloud_provider="alibaba", cloud_account="prod", cloud_project="", cloud_region="cn-hangzhou""#,
                true,
            ),
            (r#"cloud_service="redis", resource_id="r-1", resource_name="orders", cert_role="ca""#, true),
            (r#"tag:env="prod", label:team="dba""#, true),
            (r#"tag:owner="", label:none="""#, true),
            (r#"in_use="true""#, true),
            (r#"tag:env!="prod""#, false),
        ] {
            assert_eq!(described.is(&expression(text)), want, "{text}");
        }
    }
}
