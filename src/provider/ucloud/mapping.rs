//! From the wire to our own words: pure, and the only place where UCloud's dates are read.
//!
//! The certificate itself is believed first: the leaf in `SSLContent`. Then the field `NotAfter`. Then nobody knows
//! the date, and that is shown; it never becomes 1970.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Utc};

use super::wire::{Content, Entry, Relation, Relations};
use crate::call::{CallError, CallErrorKind};
use crate::domain::identity::CertRole;
use crate::domain::listing::{Inspection, Listed};
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, Tags, TlsState};
use crate::provider::loose::{Loose, Row};
use crate::provider::x509::Parsed;

/// The last second of the year 9999. The platform of the same cloud tells its times in milliseconds, and those of
/// this century are all greater.
const LAST_SECOND: i64 = 253_402_300_799;

/// One row of a listing; `None` for a row without an id. A row whose date cannot be read carries no reading: a look
/// at it alone tells what is wrong with it.
pub(super) fn listed(row: &Entry, now: DateTime<Utc>) -> Option<Listed> {
    let reading = certificates(row).ok().map(|certificates| reading(certificates, now));
    let inspectable = reading.is_none();
    Some(Listed { id: row.SSLId.text()?.into(), facts: facts(row), tags_known: true, reading, inspectable })
}

/// One entry that was asked for alone.
pub(super) fn inspection(row: &Entry, action: &'static str, now: DateTime<Utc>) -> Inspection {
    match certificates(row) {
        Ok(certificates) => Inspection::Read(reading(certificates, now)),
        Err(text) => {
            let error = CallError::new(CallErrorKind::Unreadable, action, text);
            Inspection::ReadInPart(reading(vec![], now), error.to_string())
        }
    }
}

/// Whoever uploaded the next certificate uploads the one after it: the cloud renews none of them here, not even those
/// that were imported from its own platform.
fn reading(certificates: Vec<Certificate>, at: DateTime<Utc>) -> Reading {
    let (state, managed_by) = (TlsState::Enabled, Some(ManagedBy::Customer));
    Reading { state, certificates, managed_by, renewal_required: None, at }
}

fn facts(row: &Entry) -> Facts {
    let used_by = users(&row.Relations);
    Facts {
        name: row.SSLName.text().unwrap_or_default().into(),
        status: "".into(),
        engine: row.SSLType.text().unwrap_or_default().into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: in_use(&row.Relations),
        used_by,
    }
}

/// A list in which nothing is a relation says neither yes nor no.
fn in_use(relations: &Relations) -> Option<bool> {
    match relations {
        Relations::None => Some(false),
        Relations::Some(rows) => rows.iter().any(|row| matches!(row, Row::Read(_))).then_some(true),
        Relations::Odd => None,
    }
}

/// `balancer/listener`, by name where there is one.
fn users(relations: &Relations) -> Box<[Box<str>]> {
    let Relations::Some(rows) = relations else { return Box::default() };
    let read = rows.iter().filter_map(|row| match row {
        Row::Read(relation) => user(relation),
        Row::Odd => None,
    });
    read.collect::<BTreeSet<_>>().into_iter().map(Into::into).collect()
}

fn user(relation: &Relation) -> Option<String> {
    let balancer = relation.LoadBalancerName.text().or_else(|| relation.LoadBalancerId.text());
    let listener = relation.ListenerName.text().or_else(|| relation.ListenerId.text());
    let parts: Vec<_> = [balancer, listener].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The certificates of an entry, or why there is none to show.
fn certificates(row: &Entry) -> Result<Vec<Certificate>, String> {
    let told = time(&row.NotAfter);
    if let Some(bundle) = Bundle::of(&row.SSLContent) {
        let mut shown = from_x509(bundle.role, bundle.first, told);
        if shown.subject.common_name.is_empty() {
            let host = bundle.first.host.as_deref().or_else(|| row.Domains.text());
            shown.subject.common_name = host.unwrap_or_default().into();
        }
        let chain = bundle.issuer.map(|issuer| from_x509(CertRole::Chain, issuer, None));
        return Ok(std::iter::once(shown).chain(chain).collect());
    }
    if let Some(not_after) = told {
        Ok(vec![from_api(row, not_after)])
    } else {
        let (content, field) = (row.SSLContent.what_was_found(), shown(&row.NotAfter));
        Err(format!("the end of the certificate cannot be read: found {content}, and {field} as NotAfter"))
    }
}

/// What a bundle is to those who connect.
struct Bundle<'a> {
    role: CertRole,
    /// What is shown to clients; of an entry of CAs alone, the one that ends first.
    first: &'a Parsed,
    /// The issuer that ends first.
    issuer: Option<&'a Parsed>,
}

impl<'a> Bundle<'a> {
    /// Keys, leaves and issuers come in any order. The leaf is the first certificate that is no CA, else the first CA
    /// with a host name (a server's own certificate, signed by itself). `None` where the leaf may be what could not
    /// be read: an issuer is never shown in its place.
    fn of(content: &'a Content) -> Option<Self> {
        let all = content.certificates();
        let leaf = all.iter().find(|parsed| !parsed.is_ca);
        let own = || all.iter().find(|parsed| parsed.host.is_some()).filter(|_| !content.is_broken());
        if let Some(leaf) = leaf.or_else(own) {
            let issuers = all.iter().filter(|parsed| parsed.is_ca && !std::ptr::eq(*parsed, leaf));
            let issuer = issuers.min_by_key(|parsed| parsed.not_after);
            return Some(Self { role: CertRole::Server, first: leaf, issuer });
        }
        let first = all.iter().min_by_key(|parsed| parsed.not_after).filter(|_| !content.is_broken())?;
        Some(Self { role: CertRole::Ca, first, issuer: None })
    }
}

fn from_x509(role: CertRole, parsed: &Parsed, told: Option<DateTime<Utc>>) -> Certificate {
    Certificate {
        role,
        not_after: parsed.not_after,
        not_before: Some(parsed.not_before),
        source: DateSource::X509,
        other_not_after: told,
        subject: parsed.subject.clone(),
    }
}

fn from_api(row: &Entry, not_after: DateTime<Utc>) -> Certificate {
    let common_name = row.Domains.text().unwrap_or_default().into();
    Certificate {
        role: CertRole::Server,
        not_after,
        not_before: time(&row.NotBefore).filter(|begin| *begin < not_after),
        source: DateSource::Api,
        other_not_after: None,
        subject: Subject { common_name, ..Subject::default() },
    }
}

/// Unix seconds; a number too large for seconds is one of milliseconds. Before 2000 it stands for "nothing".
fn time(value: &Loose) -> Option<DateTime<Utc>> {
    let number: i64 = value.text()?.parse().ok()?;
    let seconds = if number > LAST_SECOND { number / 1000 } else { number };
    DateTime::from_timestamp(seconds, 0).filter(|time| (2000..=9999).contains(&time.year()))
}

fn shown(value: &Loose) -> String {
    match value {
        Loose::Absent => "nothing".to_owned(),
        Loose::Odd => "something odd".to_owned(),
        Loose::Text(text) => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;
    use crate::domain::testing::moment;

    /// Two digits of the year in which it ends; `ca` is an issuer without a host name.
    fn pem(ends: i32, ca: bool, host: Option<&str>) -> String {
        let hosts: Vec<String> = host.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(hosts).expect("params");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.is_ca = if ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2000 + ends, 1, 1);
        params.self_signed(&KeyPair::generate().expect("key")).expect("signed").pem()
    }

    fn key() -> String {
        KeyPair::generate().expect("key").serialize_pem()
    }

    fn entry(content: &str, more: &str) -> Entry {
        let content = serde_json::to_string(content).expect("text");
        serde_json::from_str(&format!(r#"{{"SSLId":"ssl-1","SSLContent":{content}{more}}}"#)).expect("JSON")
    }

    fn roles(content: &str) -> Vec<(CertRole, i32)> {
        let found = certificates(&entry(content, "")).unwrap_or_default();
        found.iter().map(|certificate| (certificate.role, certificate.not_after.year() - 2000)).collect()
    }

    #[test]
    fn leaf_and_chain_are_found_in_every_order() {
        use CertRole::{Ca, Chain, Server};
        let (leaf, ca, root) = (pem(27, false, Some("a.example")), pem(30, true, None), pem(29, true, None));
        let own = pem(28, true, Some("own.example"));
        let broken = "-----BEGIN CERTIFICATE-----\n**\n-----END CERTIFICATE-----\n";
        let key = key();
        for (name, content, want) in [
            ("key first", format!("{key}{leaf}{ca}{root}"), vec![(Server, 27), (Chain, 29)]),
            ("leaf, key, chain", format!("{leaf}{key}{ca}"), vec![(Server, 27), (Chain, 30)]),
            ("chain first", format!("{root}{ca}{leaf}{key}"), vec![(Server, 27), (Chain, 29)]),
            ("alone", leaf.clone(), vec![(Server, 27)]),
            (
                "CRLF, text around, no end of line",
                format!("x\r\n{}", leaf.replace('\n', "\r\n")).trim_end().to_owned(),
                vec![(Server, 27)],
            ),
            ("signed by itself, says it is a CA", format!("{key}{own}"), vec![(Server, 28)]),
            ("issuers alone", format!("{ca}{root}"), vec![(Ca, 29)]),
            ("a broken issuer", format!("{key}{leaf}{broken}"), vec![(Server, 27)]),
            ("a broken leaf", format!("{key}{broken}{ca}"), vec![]),
            ("a key alone", key.clone(), vec![]),
            ("masked", "******".to_owned(), vec![]),
            ("nothing", String::new(), vec![]),
        ] {
            assert_eq!(roles(&content), want, "{name}");
        }
    }

    #[test]
    fn the_certificate_is_believed_before_the_field() {
        let leaf = pem(27, false, Some("a.example"));
        let seconds = |text: &str| text.parse::<DateTime<Utc>>().expect("date").timestamp();
        let read =
            |content: &str, more: &str| certificates(&entry(content, more)).map(|mut all| all.remove(0));
        let told = |date: &str| format!(r#","NotAfter":{}"#, seconds(date));
        for (name, content, more, ends, source, disagree) in [
            ("both, the same", &*leaf, told("2027-01-01T00:00:00Z"), "2027", DateSource::X509, Some(false)),
            ("both, apart", &leaf, told("2027-03-01T00:00:00Z"), "2027", DateSource::X509, Some(true)),
            ("field 0", &leaf, r#","NotAfter":0"#.to_owned(), "2027", DateSource::X509, None),
            ("only the field", "", told("2031-05-01T00:00:00Z"), "2031", DateSource::Api, None),
            ("beyond 2050", "", told("2061-05-01T00:00:00Z"), "2061", DateSource::Api, None),
            ("masked", "***", told("2031-05-01T00:00:00Z"), "2031", DateSource::Api, None),
        ] {
            let found = read(content, &more).unwrap_or_else(|text| panic!("{name}: {text}"));
            assert_eq!((&*found.not_after.year().to_string(), found.source), (ends, source), "{name}");
            assert_eq!(found.dates_disagree(), disagree, "{name}");
        }
    }

    #[test]
    fn times_are_seconds_or_milliseconds_and_nothing_becomes_1970() {
        for (json, want) in [
            ("1795910400", Some("2026-11-29T00:00:00+00:00")),
            (r#""1795910400""#, Some("2026-11-29T00:00:00+00:00")),
            ("1795910400.0", Some("2026-11-29T00:00:00+00:00")),
            ("1795910400000", Some("2026-11-29T00:00:00+00:00")),
            ("253402300799", Some("9999-12-31T23:59:59+00:00")),
            ("253402300800", None),
            ("0", None),
            ("-1", None),
            ("\"\"", None),
            ("\"soon\"", None),
            ("null", None),
            ("[1795910400]", None),
            ("1e300", None),
            ("9223372036854775807", None),
        ] {
            let found = time(&serde_json::from_str(json).expect("JSON")).map(|time| time.to_rfc3339());
            assert_eq!(found.as_deref(), want, "{json}");
        }
    }

    #[test]
    fn a_date_that_nobody_tells_is_asked_for_alone_and_named() {
        let row = entry("******", r#","NotAfter":0"#);
        let listed = listed(&row, moment()).expect("listed");
        assert_eq!((listed.reading, listed.inspectable), (None, true));
        let Inspection::ReadInPart(reading, text) = inspection(&row, "ulb:DescribeSSLV2", moment()) else {
            panic!("read");
        };
        assert_eq!((reading.state, reading.certificates), (TlsState::Enabled, vec![]));
        assert!(text.ends_with("found a content without a certificate, and `0` as NotAfter"), "{text}");
    }

    #[test]
    fn listeners_are_named_and_counted_as_use() {
        let facts =
            |relations: &str| facts(&entry("", &format!(r#","SSLName":"官网","Relations":{relations}"#)));
        let users =
            |relations: &str| facts(relations).used_by.iter().map(ToString::to_string).collect::<Vec<_>>();
        let two = r#"[{"LoadBalancerId":"ulb-1","LoadBalancerName":"portal","ListenerId":"vserver-1","ListenerName":"https"},
                      {"LoadBalancerId":"alb-2","ListenerId":"als-2","IsDefault":true}]"#;
        assert_eq!(users(two), ["alb-2/als-2", "portal/https"]);
        for (relations, want) in [
            (two, Some(true)),
            ("[{}]", Some(true)),
            ("[]", Some(false)),
            ("null", Some(false)),
            ("[null]", None),
            ("\"alb-1\"", None),
        ] {
            assert_eq!(facts(relations).in_use, want, "{relations}");
        }
        assert_eq!(&*facts("[]").name, "官网");
    }

    #[test]
    fn a_name_is_found_in_the_certificate_or_in_the_field() {
        let name = |content: &str| {
            let found = certificates(&entry(content, r#","Domains":"field.example","NotAfter":1795910400"#));
            found.map(|all| all[0].subject.common_name.to_string()).unwrap_or_default()
        };
        assert_eq!(name(&pem(27, false, Some("host.example"))), "host.example");
        assert_eq!(name(&pem(27, false, None)), "field.example");
        assert_eq!(name(""), "field.example");
    }
}
