//! What lists are made of: a row for each certificate, and one for each resource that has none.
//!
//! Rows borrow from the snapshot; nothing is copied before it is known to be shown.

use chrono::{DateTime, Utc};

use crate::domain::described::{Described, DescribedScope};
use crate::domain::finding::{Stage, stage};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::matcher::Matcher;
use crate::domain::resource::{Certificate, Resource, TlsState};
use crate::domain::snapshot::Snapshot;

use super::context::PageContext;

/// A certificate of a resource, or a resource without one.
#[derive(Debug, Clone, Copy)]
pub struct Row<'s> {
    /// Where it is.
    pub scope: &'s Scope,
    /// Whose it is.
    pub resource: &'s Resource,
    /// What ends; `None` while nothing is known to.
    pub certificate: Option<&'s Certificate>,
}

/// Every row of a snapshot, by scope and id.
pub fn rows(snapshot: &Snapshot) -> impl Iterator<Item = Row<'_>> {
    snapshot.resources().flat_map(|(scope, resource)| {
        let certificates = resource.certificates();
        let none = certificates.is_empty().then_some(Row { scope, resource, certificate: None });
        let some = certificates.iter().map(move |certificate| Row {
            scope,
            resource,
            certificate: Some(certificate),
        });
        some.chain(none)
    })
}

impl Row<'_> {
    /// Belongs into a list for which nothing else was asked: whatever ends, and whatever may end unseen, because TLS
    /// is on and no date was found, or because a look at it did not tell. TLS that is off or not possible is no
    /// worry, and what was only just discovered will be looked at in a moment.
    pub fn matters(&self) -> bool {
        match self.resource.state() {
            _ if self.certificate.is_some() => true,
            TlsState::Enabled => true,
            TlsState::Unknown => self.resource.looked_at.is_some() || self.resource.failure.is_some(),
            TlsState::Disabled | TlsState::Unsupported => false,
        }
    }

    /// End of validity.
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        self.certificate.map(|certificate| certificate.not_after)
    }

    /// When a good look last saw it.
    pub fn last_seen(&self) -> Option<DateTime<Utc>> {
        self.resource.reading.as_ref().map(|reading| reading.at)
    }

    /// What the certificate is to those who connect.
    pub fn role(&self) -> Option<CertRole> {
        self.certificate.map(|certificate| certificate.role)
    }

    /// Whether an expression means it.
    pub fn is(&self, matcher: &Matcher, context: &PageContext<'_>) -> bool {
        let account_label = |key: &str| context.account_label(&self.scope.account, key);
        let described = Described::new(self.scope, self.resource, &account_label);
        Described { role: self.role(), ..described }.is(matcher)
    }

    /// How close to its end it is; `None` where nothing ends.
    pub fn stage(&self, context: &PageContext<'_>, now: DateTime<Utc>) -> Option<Stage> {
        let certificate = self.certificate?;
        Some(stage(certificate, &(context.thresholds)(self.scope, self.resource), now))
    }

    /// A name that stays the same as long as the certificate's place does, whatever the certificate.
    pub fn id(&self) -> String {
        let mut id = scope_id(self.scope);
        for part in [&*self.resource.id, self.role().map_or("", CertRole::as_str)] {
            id.push('/');
            push_segment(&mut id, part);
        }
        id
    }
}

/// Whether an expression means a scope.
pub fn scope_is(scope: &Scope, matcher: &Matcher, context: &PageContext<'_>) -> bool {
    let account_label = |key: &str| context.account_label(&scope.account, key);
    DescribedScope { scope, account_label: &account_label }.is(matcher)
}

/// The stable name of a scope; the ids of its rows begin with it.
pub fn scope_id(scope: &Scope) -> String {
    let Scope { provider, account, project, region, service } = scope;
    let mut id = String::with_capacity(64);
    for (number, part) in [provider, account, project, region, service].into_iter().enumerate() {
        if number > 0 {
            id.push('/');
        }
        push_segment(&mut id, part);
    }
    id
}

/// A name as a segment of an id.
pub fn encoded(part: &str) -> String {
    let mut id = String::new();
    push_segment(&mut id, part);
    id
}

/// `-` stands for what is empty. Everything that is no ordinary character of an id is percent-encoded, so no two
/// identities share a name, and the name can stand in a path as it is.
fn push_segment(id: &mut String, part: &str) {
    const PLAIN: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');
    match part {
        "" => id.push('-'),
        "-" => id.push_str("%2D"),
        "." => id.push_str("%2E"),
        ".." => id.push_str("%2E%2E"),
        part => id.extend(percent_encoding::utf8_percent_encode(part, &PLAIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matcher::LabelSet;
    use crate::domain::reason::{Failure, Reason};
    use crate::domain::testing::{certificate, moment, reading, resource, scope};
    use crate::web::context::AccountInfo;
    use crate::web::context::testing::plain_context;

    fn with_state(state: TlsState) -> Resource {
        let mut read = reading(vec![]);
        read.state = state;
        let mut resource = resource("r-1");
        resource.reading = Some(read);
        resource.looked_at = Some(moment());
        resource
    }

    #[test]
    fn what_matters_is_what_ends_or_may_end_unseen() {
        let mut failing = resource("r-1");
        failing.failure = Some(Box::new(Failure { reason: Reason::Denied, text: "no".into(), at: moment() }));
        for (name, resource, want) in [
            ("not looked at yet", resource("r-1"), false),
            ("never read, failing", failing, true),
            ("on, without a date", with_state(TlsState::Enabled), true),
            ("looked at, not told", with_state(TlsState::Unknown), true),
            ("off", with_state(TlsState::Disabled), false),
            ("not possible", with_state(TlsState::Unsupported), false),
        ] {
            let row = Row { scope: &scope("redis"), resource: &resource, certificate: None };
            assert_eq!(row.matters(), want, "{name}");
        }
    }

    #[test]
    fn ids_are_readable_and_never_shared() {
        let scope = scope("redis");
        let (odd, certificate) = (resource("a/b?ü"), certificate(moment()));
        let row = Row { scope: &scope, resource: &odd, certificate: Some(&certificate) };
        assert_eq!(row.id(), "alibaba/prod/-/cn-hangzhou/redis/a%2Fb%3F%C3%BC/server");
        assert_eq!(
            Row { certificate: None, ..row }.id(),
            "alibaba/prod/-/cn-hangzhou/redis/a%2Fb%3F%C3%BC/-"
        );
        let dash = resource("-");
        assert!(Row { resource: &dash, ..row }.id().ends_with("/%2D/server"));
    }

    #[test]
    fn expressions_know_the_certificate_and_the_labels_of_its_account() {
        let (scope, resource, certificate) = (scope("redis"), resource("r-1"), certificate(moment()));
        let row = Row { scope: &scope, resource: &resource, certificate: Some(&certificate) };
        let mut account = AccountInfo::default();
        account.labels.insert("team".into(), "dba".into());
        let known = |name: &str| (name == "prod").then_some(&account);
        let context = PageContext { account: &known, ..plain_context() };
        for (text, of_certificate, without) in [
            (r#"cert_role="server", resource_id="r-1""#, true, false),
            (r#"cert_role="""#, false, true),
            (r#"label:team="dba""#, true, true),
            (r#"label:team="web""#, false, false),
        ] {
            let matcher = Matcher::parse(text, LabelSet::CERTIFICATE).unwrap();
            assert_eq!(row.is(&matcher, &context), of_certificate, "{text}");
            assert_eq!(Row { certificate: None, ..row }.is(&matcher, &context), without, "{text}");
        }
        let matcher =
            Matcher::parse(r#"label:team="dba", cloud_service="redis""#, LabelSet::RESOURCE).unwrap();
        assert!(scope_is(&scope, &matcher, &context) && !scope_is(&scope, &matcher, &plain_context()));
    }
}
