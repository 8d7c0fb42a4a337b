//! A resource as expressions see it: which label has which value. Every place that matches resources asks here.

use super::identity::{CertRole, Scope};
use super::matcher::{Label, Matcher};
use super::resource::{Facts, Resource};

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
    pub account_label: &'v dyn Fn(&str) -> Option<&'v str>,
}

impl<'v> Described<'v> {
    /// A resource that is known.
    pub fn new(
        scope: &'v Scope,
        resource: &'v Resource,
        account_label: &'v dyn Fn(&str) -> Option<&'v str>,
    ) -> Self {
        Self { scope, id: &resource.id, facts: &resource.facts, role: None, account_label }
    }

    /// The value of a label; `None` where it has none, which matches like an empty text.
    pub fn value(&self, label: &Label) -> Option<&'v str> {
        let Self { scope, id, facts, role, account_label } = *self;
        match label {
            Label::CloudProvider => Some(&scope.provider),
            Label::CloudAccount => Some(&scope.account),
            Label::CloudProject => Some(&scope.project),
            Label::CloudRegion => Some(&scope.region),
            Label::CloudService => Some(&scope.service),
            Label::ResourceId => Some(id),
            Label::ResourceName => Some(&facts.name),
            Label::CertRole => role.map(CertRole::as_str),
            Label::InUse => facts.in_use_label(),
            Label::Tag(key) => facts.tags.iter().find(|(name, _)| **name == **key).map(|(_, value)| &**value),
            Label::AccountLabel(key) => account_label(key),
            Label::Severity | Label::Stage | Label::Type => None,
        }
    }

    /// Whether an expression means it.
    pub fn is(&self, matcher: &Matcher) -> bool {
        matcher.matches(&|label| self.value(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matcher::LabelSet;
    use crate::domain::testing::{resource, scope};

    #[test]
    fn every_label_of_a_resource_can_be_asked_for() {
        let scope = scope("redis");
        let mut resource = resource("r-1");
        resource.facts.tags = [("env".into(), "prod".into())].into();
        resource.facts.in_use = Some(true);
        let team = |key: &str| (key == "team").then_some("dba");
        let described = Described { role: Some(CertRole::Ca), ..Described::new(&scope, &resource, &team) };
        for (expression, want) in [
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
            let matcher = Matcher::parse(expression, LabelSet::CERTIFICATE).expect(expression);
            assert_eq!(described.is(&matcher), want, "{expression}");
        }
    }
}
