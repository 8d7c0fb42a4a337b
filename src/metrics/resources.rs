//! The families of resources and their certificates: many lines, so each is a few copies and a number.
//!
//! What is not known has no line. Each combination of labels has one line by construction: ids are unique in a scope,
//! and of several certificates in one role only the one that ends first is shown.

use std::sync::Arc;

use bytes::BytesMut;

use super::catalogue::{
    DATES_DISAGREE, Family, INFO, LAST_SEEN, NOT_AFTER, NOT_BEFORE, RENEWAL_REQUIRED, TLS_ENABLED,
};
use super::text;
use crate::domain::identity::CertRole;
use crate::domain::resource::{Certificate, ManagedBy, Resource, TlsState};

/// How many families there are.
pub(super) const COUNT: usize = FAMILIES.len();

/// A family and what writes the lines of one resource.
pub(super) type ResourceFamily = (Family, fn(&mut Lines<'_>, &Resource));

/// So many resources are fetched from memory together.
const TOGETHER: usize = 32;

/// In the order of the page.
pub(super) const FAMILIES: [ResourceFamily; 7] = [
    (NOT_AFTER, not_after),
    (NOT_BEFORE, not_before),
    (LAST_SEEN, last_seen),
    (INFO, info),
    (DATES_DISAGREE, dates_disagree),
    (TLS_ENABLED, tls_enabled),
    (RENEWAL_REQUIRED, renewal_required),
];

/// Writes the lines of a family for resources of one scope, given by its labels. `head` is room for what these lines
/// begin with; whoever writes many runs keeps it from one to the next.
pub(super) fn write(
    out: &mut BytesMut,
    head: &mut Vec<u8>,
    family: &ResourceFamily,
    scope: &[u8],
    resources: &[Arc<Resource>],
) {
    let (family, lines_of) = family;
    head.clear();
    for part in [family.name.as_bytes(), b"{", scope, b",resource_id=\""] {
        head.extend_from_slice(part);
    }
    let mut lines = Lines { out, head };
    for some in resources.chunks(TOGETHER) {
        touch(some);
        for resource in some {
            lines_of(&mut lines, resource);
        }
    }
}

/// Reads a byte of what lies apart for each resource, and nothing else. In so short a loop the processor waits for the
/// memory of many resources at once; in the long one that writes lines it would wait for each of them in turn, which
/// is most of the time that 100,000 resources take.
fn touch(resources: &[Arc<Resource>]) {
    let read = resources.iter().fold(0, |read, resource| {
        let id = resource.id.as_bytes().first().copied().unwrap_or_default();
        let role = resource.certificates().first().map_or(0, |certificate| certificate.role as u8);
        read ^ id ^ role
    });
    std::hint::black_box(read);
}

/// How many certificates of a resource share a role with another one, and so cannot be shown.
pub(super) fn collisions(resource: &Resource) -> usize {
    enabled(resource).len() - certificates(resource).count()
}

/// Writes lines that begin alike.
pub(super) struct Lines<'a> {
    out: &'a mut BytesMut,
    head: &'a [u8],
}

impl Lines<'_> {
    fn begin(&mut self, resource: &Resource) {
        self.out.extend_from_slice(self.head);
        text::label_value(self.out, &resource.id);
    }

    fn begin_certificate(&mut self, resource: &Resource, certificate: &Certificate) {
        self.begin(resource);
        self.out.extend_from_slice(match certificate.role {
            CertRole::Server => b"\",cert_role=\"server",
            CertRole::Ca => b"\",cert_role=\"ca",
            CertRole::Chain => b"\",cert_role=\"chain",
        });
    }

    fn more(&mut self, name: &str, value: &str) {
        self.out.extend_from_slice(b"\",");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"=\"");
        text::label_value(self.out, value);
    }

    fn end(&mut self, value: impl FnOnce(&mut BytesMut)) {
        self.out.extend_from_slice(b"\"} ");
        value(self.out);
        self.out.extend_from_slice(b"\n");
    }
}

fn not_after(lines: &mut Lines<'_>, resource: &Resource) {
    for certificate in certificates(resource) {
        lines.begin_certificate(resource, certificate);
        lines.end(|out| text::timestamp(out, certificate.not_after));
    }
}

fn not_before(lines: &mut Lines<'_>, resource: &Resource) {
    for certificate in certificates(resource) {
        if let Some(not_before) = certificate.not_before {
            lines.begin_certificate(resource, certificate);
            lines.end(|out| text::timestamp(out, not_before));
        }
    }
}

fn last_seen(lines: &mut Lines<'_>, resource: &Resource) {
    let Some(reading) = &resource.reading else { return };
    for certificate in certificates(resource) {
        lines.begin_certificate(resource, certificate);
        lines.end(|out| text::timestamp(out, reading.at));
    }
}

fn info(lines: &mut Lines<'_>, resource: &Resource) {
    let managed_by = resource.reading.as_ref().and_then(|reading| reading.managed_by);
    for certificate in certificates(resource) {
        let subject = &certificate.subject;
        lines.begin_certificate(resource, certificate);
        lines.more("resource_name", &resource.facts.name);
        lines.more("common_name", &subject.common_name);
        lines.more("issuer", &subject.issuer);
        lines.more("serial", &subject.serial);
        lines.more("sha256", &subject.sha256);
        lines.more("key", &subject.key);
        lines.more("source", certificate.source.as_str());
        lines.more("managed_by", managed_by.map_or("", ManagedBy::as_str));
        lines.end(|out| text::boolean(out, true));
    }
}

fn dates_disagree(lines: &mut Lines<'_>, resource: &Resource) {
    for certificate in certificates(resource) {
        if let Some(disagree) = certificate.dates_disagree() {
            lines.begin_certificate(resource, certificate);
            lines.end(|out| text::boolean(out, disagree));
        }
    }
}

fn tls_enabled(lines: &mut Lines<'_>, resource: &Resource) {
    let on = match resource.state() {
        TlsState::Enabled => true,
        TlsState::Disabled => false,
        TlsState::Unsupported | TlsState::Unknown => return,
    };
    lines.begin(resource);
    lines.end(|out| text::boolean(out, on));
}

fn renewal_required(lines: &mut Lines<'_>, resource: &Resource) {
    let Some(required) = resource.reading.as_ref().and_then(|reading| reading.renewal_required) else {
        return;
    };
    lines.begin(resource);
    lines.end(|out| text::boolean(out, required));
}

/// The certificates that are shown: none unless TLS is on, and for each role the one that ends first.
pub(super) fn certificates(resource: &Resource) -> impl Iterator<Item = &Certificate> {
    let all = enabled(resource);
    CertRole::ALL.into_iter().filter_map(move |role| {
        all.iter()
            .filter(|certificate| certificate.role == role)
            .min_by_key(|certificate| certificate.not_after)
    })
}

fn enabled(resource: &Resource) -> &[Certificate] {
    if resource.state() == TlsState::Enabled { resource.certificates() } else { &[] }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    fn lines(family: &ResourceFamily, resource: Resource) -> Vec<String> {
        let mut out = BytesMut::new();
        write(&mut out, &mut Vec::new(), family, &text::scope_labels(&scope("redis")), &[Arc::new(resource)]);
        let text = String::from_utf8(out.to_vec()).expect("text");
        text.lines().map(|line| line.split_once("resource_id=").expect("an id").1.to_owned()).collect()
    }

    fn read(certificates: Vec<Certificate>) -> Resource {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(certificates));
        resource
    }

    fn in_role(role: CertRole, days: i64) -> Certificate {
        Certificate { role, ..certificate(moment() + TimeDelta::days(days)) }
    }

    #[test]
    fn of_two_certificates_in_one_role_the_one_that_ends_first_is_shown() {
        let resource = read(vec![
            in_role(CertRole::Chain, 300),
            in_role(CertRole::Server, 30),
            in_role(CertRole::Server, 20),
            in_role(CertRole::Ca, 900),
        ]);
        assert_eq!(collisions(&resource), 1);
        assert_eq!(
            lines(&FAMILIES[0], resource),
            [
                "\"r-1\",cert_role=\"server\"} 1797062400",
                "\"r-1\",cert_role=\"ca\"} 1873094400",
                "\"r-1\",cert_role=\"chain\"} 1821254400",
            ]
        );
    }

    #[test]
    fn a_resource_without_tls_shows_no_certificate_that_its_reading_may_carry() {
        for state in [TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown] {
            let mut resource = read(vec![in_role(CertRole::Server, 30)]);
            resource.reading.as_mut().expect("read").state = state;
            for family in &FAMILIES[..5] {
                assert_eq!(lines(family, resource.clone()), [] as [&str; 0], "{state:?} {}", family.0.name);
            }
            assert_eq!(collisions(&resource), 0, "{state:?}");
        }
    }

    #[test]
    fn an_expired_date_stays_and_a_missing_one_has_no_line() {
        let resource = read(vec![in_role(CertRole::Server, -400)]);
        assert_eq!(lines(&FAMILIES[0], resource.clone()), ["\"r-1\",cert_role=\"server\"} 1760774400"]);
        assert_eq!(lines(&FAMILIES[1], resource.clone()), [] as [&str; 0]);
        assert_eq!(lines(&FAMILIES[4], resource), [] as [&str; 0]);
    }

    #[test]
    fn roles_are_written_as_their_label_says() {
        for role in CertRole::ALL {
            let line = &lines(&FAMILIES[0], read(vec![in_role(role, 1)]))[0];
            assert!(line.contains(&format!(",cert_role=\"{}\"}}", role.as_str())), "{line}");
        }
    }

    #[test]
    fn names_that_people_chose_are_escaped() {
        let mut resource = read(vec![in_role(CertRole::Server, 1)]);
        resource.facts.name = "a\"b\\c\nd".into();
        let line = &lines(&FAMILIES[3], resource)[0];
        assert!(line.contains(r#",resource_name="a\"b\\c\nd",common_name="""#), "{line}");
    }
}
