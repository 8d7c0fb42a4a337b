//! From the wire to our own words: pure, and the only place where Huawei's dates and spellings are read.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};

use super::action;
use super::wire::{Instance, Loose, Row, Rows, Ssl, Tag};
use crate::call::{CallError, CallErrorKind};
use crate::domain::identity::CertRole;
use crate::domain::interner::Interner;
use crate::domain::listing::{Inspection, Listed};
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, Tags, TlsState};
use crate::provider::x509::Parsed;

/// Not there yet: nothing to look at.
const NOT_INSPECTABLE: &[&str] = &["CREATING", "CREATEFAILED"];
/// Locked for lack of payment, or on the way there.
const LOCKED: &[&str] = &["FREEZING", "FROZEN"];

/// Names and tags are kept up to so many characters.
const LONGEST_NAME: usize = 256;

/// What the archive of an instance says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Downloaded {
    /// What clients must trust: of several the one that ends first.
    pub(super) ca: Parsed,
    /// The end of a server's certificate beside it. None has been seen yet; documented is nothing.
    pub(super) server_ends: Option<DateTime<Utc>>,
}

impl Downloaded {
    /// Sorts out the certificates of an archive, which come with the one that ends first in front. Where some of them
    /// may sign others, those are the CA's; where none says so, all are.
    pub(super) fn of(certificates: Vec<Parsed>) -> Option<Self> {
        let any_ca = certificates.iter().any(|parsed| parsed.is_ca);
        let (cas, servers): (Vec<_>, Vec<_>) =
            certificates.into_iter().partition(|parsed| parsed.is_ca || !any_ca);
        let server_ends = servers.first().map(|server| server.not_after);
        Some(Self { ca: cas.into_iter().next()?, server_ends })
    }
}

/// One row of a listing; `None` for a row without an id that can stand in a path.
pub(super) fn listed(row: Instance, words: &mut Interner, now: DateTime<Utc>) -> Option<Listed> {
    let id = row.instance_id.text().filter(|id| is_plain(id))?;
    let status = row.status.text().unwrap_or_default();
    let supported = supports_tls(&row);
    let inspectable = supported && !NOT_INSPECTABLE.contains(&status);
    let facts = Facts {
        name: clip(row.name.text().unwrap_or_default()).into(),
        status: words.share(status),
        engine: words.share(&engine(&row)),
        tags: Tags::default(),
        group: None,
        locked: LOCKED.contains(&status),
        in_use: None,
        used_by: Box::default(),
    };
    // Without a list of tags nothing is said about them: those known before stay.
    let (id, tags_known) = (id.into(), row.tags.is_present());
    let facts = Facts { tags: tags(row.tags, words), ..facts };
    let reading = (!supported).then(|| without_certificate(TlsState::Unsupported, now));
    Some(Listed { id, facts, tags_known, reading, inspectable })
}

/// Ids become parts of a path: letters, digits, hyphens and underscores only.
pub(super) fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&id.len()) && id.bytes().all(plain)
}

/// A look that found no certificate to watch.
pub(super) fn without_certificate(state: TlsState, at: DateTime<Utc>) -> Reading {
    Reading { state, certificates: vec![], managed_by: None, renewal_required: None, at }
}

/// Whether TLS is on.
///
/// # Errors
/// The answer does not say.
pub(super) fn is_on(ssl: &Ssl) -> Result<bool, CallError> {
    // Documented as there only when TLS is on. An end without it would be news to the documentation.
    if ssl.enabled == Loose::Absent && ssl.ssl_expired_at == Loose::Absent {
        return Ok(false);
    }
    ssl.enabled.flag().ok_or_else(|| {
        let found = shown(&ssl.enabled);
        let text = format!("whether TLS is on cannot be read: found {found}");
        CallError::new(CallErrorKind::Unreadable, action::SSL, text)
    })
}

/// What is known of an instance with TLS on: the date of the detail for the server, the archive's for the CA.
pub(super) fn inspection(ssl: &Ssl, downloaded: Option<&Downloaded>, at: DateTime<Utc>) -> Inspection {
    let ends = ssl.ssl_expired_at.text().and_then(time);
    let server = ends.map(|not_after| Certificate {
        role: CertRole::Server,
        not_after,
        not_before: None,
        source: DateSource::Api,
        other_not_after: downloaded.and_then(|downloaded| downloaded.server_ends),
        subject: Subject::default(),
    });
    let certificates = server.into_iter().chain(downloaded.map(|downloaded| from_archive(&downloaded.ca)));
    let reading = Reading {
        state: TlsState::Enabled,
        certificates: certificates.collect(),
        managed_by: Some(ManagedBy::Cloud),
        renewal_required: ssl.ssl_validated.flag().map(|valid| !valid),
        at,
    };
    if ends.is_some() {
        return Inspection::Read(reading);
    }
    let found = shown(&ssl.ssl_expired_at);
    let text = format!("TLS is on, and the end of its certificate cannot be read: found {found}");
    Inspection::ReadInPart(reading, CallError::new(CallErrorKind::Unreadable, action::SSL, text).to_string())
}

/// A point in time as this API writes it: RFC 3339 with milliseconds; also with an offset without a colon. A time
/// without a zone is no answer: it may be Beijing's, eight hours off. Years before 2000 stand for "nothing".
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
        .map(|time| time.with_timezone(&Utc))
        .ok()?;
    (2000..=9999).contains(&parsed.year()).then_some(parsed)
}

fn from_archive(parsed: &Parsed) -> Certificate {
    Certificate {
        role: CertRole::Ca,
        not_after: parsed.not_after,
        not_before: Some(parsed.not_before),
        source: DateSource::X509,
        other_not_after: None,
        subject: parsed.subject.clone(),
    }
}

/// What was downloaded for an instance before a restart, and the end that its detail showed then.
pub(super) fn recalled(known: &[Certificate]) -> Option<(Downloaded, Option<DateTime<Utc>>)> {
    let of_role = |role| known.iter().find(|certificate| certificate.role == role);
    let (ca, server) = (of_role(CertRole::Ca)?, of_role(CertRole::Server));
    let ca = Parsed {
        not_before: ca.not_before?,
        not_after: ca.not_after,
        subject: ca.subject.clone(),
        is_ca: true,
        host: None,
    };
    let server_ends = server.and_then(|server| server.other_not_after);
    Some((Downloaded { ca, server_ends }, server.map(|server| server.not_after)))
}

/// Redis, unless the instance itself says that it cannot. Where nothing is said, the detail call will.
fn supports_tls(row: &Instance) -> bool {
    let other_engine = row.engine.text().is_some_and(|engine| !engine.eq_ignore_ascii_case("redis"));
    let denied = matches!(&row.features, Row::Read(features) if features.support_ssl.flag() == Some(false));
    !other_engine && !denied
}

fn engine(row: &Instance) -> String {
    [&row.engine, &row.engine_version].into_iter().filter_map(Loose::text).collect::<Vec<_>>().join(" ")
}

fn tags(rows: Rows<Tag>, words: &mut Interner) -> Tags {
    let (rows, _) = rows.into_rows();
    let pairs = rows.iter().filter_map(|tag| Some((tag.key.text()?, tag.value.text().unwrap_or_default())));
    let sorted: BTreeMap<&str, &str> = pairs.collect();
    words.share_tags(sorted.into_iter().map(|(key, value)| (clip(key), clip(value))))
}

/// No honest name is longer; a dishonest one must not fill the memory.
fn clip(text: &str) -> &str {
    text.char_indices().nth(LONGEST_NAME).map_or(text, |(end, _)| &text[..end])
}

fn shown(value: &Loose) -> String {
    match value {
        Loose::Absent => "nothing".to_owned(),
        Loose::Null => "null".to_owned(),
        Loose::Odd => "a list or an object".to_owned(),
        Loose::Text(text) => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;

    fn ssl(json: &str) -> Ssl {
        serde_json::from_str(json).expect(json)
    }

    fn parsed(year: i32, is_ca: bool) -> Parsed {
        let not_after = time(&format!("{year}-01-02T03:04:05Z")).expect("a date");
        Parsed { not_before: moment(), not_after, subject: Subject::default(), is_ca, host: None }
    }

    #[test]
    fn dates_are_read_to_the_millisecond() {
        for (text, want) in [
            ("2022-06-15T02:21:18.669Z", Some("2022-06-15T02:21:18.669Z")),
            ("2027-01-02T03:04:05Z", Some("2027-01-02T03:04:05Z")),
            ("2027-01-02T11:04:05.250+08:00", Some("2027-01-02T03:04:05.250Z")),
            ("2027-01-02T11:04:05+0800", Some("2027-01-02T03:04:05Z")),
            ("2027-01-02T03:04:05.5", None),
            ("2027-01-02 03:04:05", None),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("0001-01-01T00:00:00Z", None),
            ("1795910400000", None),
            ("2027-02-30T00:00:00Z", None),
            ("next year", None),
            ("", None),
        ] {
            assert_eq!(time(text), want.map(|want| want.parse().expect("a date")), "{text}");
        }
    }

    #[test]
    fn both_dates_become_certificates() {
        let json = r#"{"enabled":true,"ssl_expired_at":"2027-06-15T02:21:18.669Z","ssl_validated":false,"port":"6379"}"#;
        let downloaded = Downloaded::of(vec![parsed(2030, true)]);
        let Inspection::Read(reading) = inspection(&ssl(json), downloaded.as_ref(), moment()) else {
            panic!("both are there")
        };
        let found: Vec<_> =
            reading.certificates.iter().map(|c| (c.role, c.source, c.dates_disagree())).collect();
        assert_eq!(
            found,
            [(CertRole::Server, DateSource::Api, None), (CertRole::Ca, DateSource::X509, None)]
        );
        assert_eq!(reading.certificates[0].not_after.timestamp_subsec_millis(), 669);
        assert_eq!((reading.renewal_required, reading.managed_by), (Some(true), Some(ManagedBy::Cloud)));
        let Inspection::Read(alone) = inspection(&ssl(json), None, moment()) else { panic!("one is there") };
        assert_eq!(alone.certificates, reading.certificates[..1]);
    }

    #[test]
    fn of_several_downloaded_ones_the_issuer_that_ends_first_counts() {
        for (name, certificates, ca, server) in [
            ("one that says nothing", vec![parsed(2030, false)], 2030, None),
            ("two that say nothing", vec![parsed(2029, false), parsed(2030, false)], 2029, None),
            ("two issuers", vec![parsed(2029, true), parsed(2030, true)], 2029, None),
            ("an issuer and a server", vec![parsed(2027, false), parsed(2030, true)], 2030, Some(2027)),
        ] {
            let found = Downloaded::of(certificates).expect(name);
            assert_eq!(
                (found.ca.not_after.year(), found.server_ends.map(|at| at.year())),
                (ca, server),
                "{name}"
            );
        }
        assert_eq!(Downloaded::of(vec![]), None);
        let json = r#"{"enabled":true,"ssl_expired_at":"2027-06-15T02:21:18.669Z"}"#;
        let both = Downloaded::of(vec![parsed(2027, false), parsed(2030, true)]);
        let Inspection::Read(reading) = inspection(&ssl(json), both.as_ref(), moment()) else {
            panic!("read")
        };
        assert_eq!(
            reading.certificates[0].dates_disagree(),
            Some(true),
            "the API's date and the server's own"
        );
    }

    #[test]
    fn on_off_and_unsaid_are_told_apart() {
        for (json, want) in [
            (r#"{"enabled":true}"#, Some(true)),
            (r#"{"enabled":"true"}"#, Some(true)),
            (r#"{"enabled":false,"ssl_expired_at":"2027-06-15T02:21:18Z"}"#, Some(false)),
            ("{}", Some(false)),
            (r#"{"ip":"1.2.3.4","port":"6379"}"#, Some(false)),
            (r#"{"enabled":null,"ssl_expired_at":null}"#, None),
            (r#"{"ssl_expired_at":null}"#, None),
            (r#"{"enabled":7}"#, None),
            (r#"{"enabled":["true"]}"#, None),
            (r#"{"ssl_expired_at":"2027-06-15T02:21:18Z"}"#, None),
        ] {
            assert_eq!(is_on(&ssl(json)).ok(), want, "{json}");
        }
    }

    #[test]
    fn an_end_that_cannot_be_read_is_told_with_what_was_found() {
        for (json, found) in [
            (r#"{"enabled":true}"#, "nothing"),
            (r#"{"enabled":true,"ssl_expired_at":null}"#, "null"),
            (r#"{"enabled":true,"ssl_expired_at":{}}"#, "a list or an object"),
            (r#"{"enabled":true,"ssl_expired_at":1795910400}"#, "`1795910400`"),
        ] {
            let downloaded = Downloaded::of(vec![parsed(2030, true)]);
            let Inspection::ReadInPart(reading, text) = inspection(&ssl(json), downloaded.as_ref(), moment())
            else {
                panic!("{json}")
            };
            assert!(text.ends_with(&format!("found {found}")), "{text}");
            assert_eq!(reading.certificates.len(), 1, "{json}: the CA's is there all the same");
        }
    }

    #[test]
    fn rows_become_resources() {
        let row = |json: &str| serde_json::from_str::<Instance>(json).expect("JSON");
        let mut words = Interner::default();
        let mut read = |json: &str| listed(row(json), &mut words, moment());
        let full = read(
            r#"{"instance_id":"c830053e-d5a3-4bc0-b6d6-ca37d1ea9dd5","name":"订单缓存","status":"RUNNING","engine":"Redis",
               "engine_version":6.0,"features":{"support_ssl":true},"tags":[{"key":"env","value":"prod"},{"key":1}]}"#,
        )
        .expect("listed");
        assert_eq!(
            (&*full.facts.engine, &*full.facts.name, full.inspectable),
            ("Redis 6.0", "订单缓存", true)
        );
        let tags: Vec<_> = full.facts.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(tags, [("1", ""), ("env", "prod")]);
        for (name, json, state, inspectable) in [
            (
                "Redis 5",
                r#"{"instance_id":"a","engine":"Redis","features":{"support_ssl":false}}"#,
                true,
                false,
            ),
            ("Memcached", r#"{"instance_id":"a","engine":"Memcached"}"#, true, false),
            ("nothing said", r#"{"instance_id":"a"}"#, false, true),
            ("odd features", r#"{"instance_id":"a","engine":"Redis","features":[]}"#, false, true),
            ("being created", r#"{"instance_id":"a","status":"CREATING"}"#, false, false),
            ("an unknown status", r#"{"instance_id":"a","status":"SOMETHING_NEW"}"#, false, true),
        ] {
            let listed = read(json).expect(name);
            let unsupported = listed.reading.as_ref().is_some_and(|r| r.state == TlsState::Unsupported);
            assert_eq!((unsupported, listed.inspectable), (state, inspectable), "{name}");
        }
        assert!(read(r#"{"instance_id":"a","status":"FROZEN"}"#).expect("listed").facts.locked);
        for odd in [r#"{"instance_id":"../../v3/x"}"#, r#"{"instance_id":""}"#, r#"{"instance_id":{}}"#, "{}"]
        {
            assert!(read(odd).is_none(), "{odd}");
        }
    }
}
