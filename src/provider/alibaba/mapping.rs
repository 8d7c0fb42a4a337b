//! From the wire to our own words: pure, and the only place where Alibaba's dates and spellings are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};

use super::product::Product;
use super::wire::{Instance, Loose, Row, Ssl};
use crate::call::{CallError, CallErrorKind};
use crate::domain::identity::CertRole;
use crate::domain::interner::Interner;
use crate::domain::listing::{Inspection, Listed};
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, Tags, TlsState};
use crate::provider::x509::{self, Parsed};

/// Not there yet, or not any more: nothing to look at.
const NOT_INSPECTABLE: &[&str] = &["creating", "deleting", "released", "releasing"];
/// Names and tags are kept up to so many characters.
const LONGEST_NAME: usize = 256;
/// Words for "on" and "off" over all engines.
const ON: &[&str] = &["enable", "enabled", "yes", "on", "open", "1", "true"];
const OFF: &[&str] = &["disable", "disabled", "no", "off", "closed", "close", "0", "false"];

/// One row of a listing; `None` for a row without an id.
pub(super) fn listed(product: Product, row: Instance, words: &mut Interner) -> Option<Listed> {
    let id: Arc<str> = row.DBInstanceId.text()?.into();
    let status = row.DBInstanceStatus.text().unwrap_or_default();
    // Without a list of tags nothing is said about them: those known before stay.
    let tags_known = matches!(&row.Tags, Some(Row::Read(tags)) if tags.is_present());
    let inspectable = !NOT_INSPECTABLE.contains(&status.to_ascii_lowercase().as_str());
    let facts = Facts {
        name: clip(row.DBInstanceDescription.text().unwrap_or_default()).into(),
        status: words.share(status),
        engine: words.share(&engine(product, &row)),
        group: group(&id, &row),
        locked: row.LockMode.text().is_some_and(is_locked),
        tags: row_tags(row, words),
        in_use: None,
        used_by: Box::default(),
    };
    Some(Listed { id, facts, tags_known, reading: None, inspectable })
}

/// Tags, sorted and without repetition.
pub(super) fn tags<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, words: &mut Interner) -> Tags {
    let sorted: BTreeMap<&str, &str> = pairs.collect();
    words.share_tags(sorted.into_iter().map(|(key, value)| (clip(key), clip(value))))
}

/// What the certificate call says about an instance.
///
/// # Errors
/// The answer does not say whether TLS is on.
pub(super) fn inspection(
    answer: Ssl,
    action: &'static str,
    now: DateTime<Utc>,
) -> Result<Inspection, CallError> {
    let answer = answer.unwrap_items();
    match state(&answer) {
        Some(TlsState::Enabled) => Ok(enabled(&answer, action, now)),
        Some(state) => Ok(Inspection::Read(reading(state, vec![], &answer, now))),
        None => {
            let found = answer.enabled().text().map_or("nothing".to_owned(), |found| format!("`{found}`"));
            let text = format!("whether TLS is on cannot be read: found {found}");
            Err(CallError::new(CallErrorKind::Unreadable, action, text))
        }
    }
}

/// TLS is not to be had here.
pub(super) fn unsupported(now: DateTime<Utc>) -> Inspection {
    Inspection::Read(reading(TlsState::Unsupported, vec![], &Ssl::default(), now))
}

/// A point in time as these APIs write it: RFC 3339 in all SSL fields; without seconds, or a date alone, in sibling
/// fields. A time of day without a zone is no answer: it may be Beijing's, eight hours off.
/// Years before 2000 stand for "nothing" (the zero time of some languages is in year 1).
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
        .map(|time| time.with_timezone(&Utc))
        .ok()
        .or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok().map(|time| time.and_utc()))
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc())
        })?;
    (2000..=9999).contains(&parsed.year()).then_some(parsed)
}

/// No honest name is longer; a dishonest one must not fill the memory.
fn clip(text: &str) -> &str {
    text.char_indices().nth(LONGEST_NAME).map_or(text, |(end, _)| &text[..end])
}

fn engine(product: Product, row: &Instance) -> String {
    let parts = match product {
        Product::Redis => [&row.InstanceType, &row.EngineVersion, &row.ArchitectureType],
        Product::Rds => [&row.Engine, &row.EngineVersion, &Loose::Absent],
        Product::Mongodb => [&row.Engine, &row.EngineVersion, &row.DBInstanceType],
    };
    parts.into_iter().filter_map(Loose::text).collect::<Vec<_>>().join(" ")
}

/// A read-only instance belongs to the group of its primary; the primary finds itself there by its own id.
fn group(id: &str, row: &Instance) -> Option<Box<str>> {
    let primary = row.MasterInstanceId.text().filter(|primary| *primary != id);
    primary.or_else(|| row.GlobalInstanceId.text()).map(Into::into)
}

fn row_tags(row: Instance, words: &mut Interner) -> Tags {
    let Some(Row::Read(rows)) = row.Tags else { return Tags::default() };
    let (rows, _) = rows.into_rows();
    let pairs = rows.iter().filter_map(|tag| Some((tag.Key.text()?, tag.Value.text().unwrap_or_default())));
    tags(pairs, words)
}

/// Whether TLS is on; `None` where the answer does not say.
pub(super) fn state(answer: &Ssl) -> Option<TlsState> {
    let word = answer.enabled().text().map(str::to_ascii_lowercase);
    match word.as_deref() {
        Some(word) if ON.contains(&word) => Some(TlsState::Enabled),
        Some(word) if OFF.contains(&word) => Some(TlsState::Disabled),
        Some(_) => None,
        // The field is documented as always there; where it is empty, an empty end says the same as "off".
        None => {
            let (silent, empty_end) =
                (*answer.enabled() != Loose::Odd, *answer.ends() == Loose::Text(String::new()));
            (silent && empty_end).then_some(TlsState::Disabled)
        }
    }
}

fn enabled(answer: &Ssl, action: &'static str, now: DateTime<Utc>) -> Inspection {
    let shown = answer.ServerCert.text().and_then(|pem| x509::from_pem(pem).ok()).and_then(first);
    let told = answer.ends().text().and_then(time);
    let certificate = match (shown, told) {
        (Some(parsed), told) => from_x509(parsed, told),
        (None, Some(not_after)) => from_api(answer, not_after),
        (None, None) => {
            let found = match answer.ends() {
                Loose::Absent => "nothing".to_owned(),
                Loose::Odd => "a list or an object".to_owned(),
                Loose::Text(text) => format!("`{text}`"),
            };
            let text = format!("TLS is on, and the end of its certificate cannot be read: found {found}");
            let reading = reading(TlsState::Enabled, vec![], answer, now);
            return Inspection::ReadInPart(
                reading,
                CallError::new(CallErrorKind::Unreadable, action, text).to_string(),
            );
        }
    };
    Inspection::Read(reading(TlsState::Enabled, vec![certificate], answer, now))
}

/// The first certificate of a bundle is the one that the server shows.
fn first(parsed: Vec<Parsed>) -> Option<Parsed> {
    parsed.into_iter().next()
}

fn from_x509(parsed: Parsed, told: Option<DateTime<Utc>>) -> Certificate {
    Certificate {
        role: CertRole::Server,
        not_after: parsed.not_after,
        not_before: Some(parsed.not_before),
        source: DateSource::X509,
        other_not_after: told,
        subject: parsed.subject,
    }
}

fn from_api(answer: &Ssl, not_after: DateTime<Utc>) -> Certificate {
    let common_name = answer.host().text().unwrap_or_default().into();
    Certificate {
        role: CertRole::Server,
        not_after,
        not_before: answer.SSLCreateTime.text().and_then(time).filter(|begin| *begin < not_after),
        source: DateSource::Api,
        other_not_after: None,
        subject: Subject { common_name, ..Subject::default() },
    }
}

/// Whether a word of `LockMode` says so.
pub(super) fn is_locked(mode: &str) -> bool {
    !mode.eq_ignore_ascii_case("unlock")
}

/// Whose certificate it is.
pub(super) fn managed_by(answer: &Ssl) -> Option<ManagedBy> {
    match answer.CAType.text() {
        Some("aliyun") => Some(ManagedBy::Cloud),
        Some("custom") => Some(ManagedBy::Customer),
        _ => None,
    }
}

fn reading(state: TlsState, certificates: Vec<Certificate>, answer: &Ssl, at: DateTime<Utc>) -> Reading {
    let managed_by = managed_by(answer);
    let renewal_required =
        answer.RequireUpdate.text().map(str::to_ascii_lowercase).and_then(|word| match &*word {
            word if ON.contains(&word) => Some(true),
            word if OFF.contains(&word) => Some(false),
            _ => None,
        });
    Reading { state, certificates, managed_by, renewal_required, at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;

    fn inspect(json: &str) -> Result<Inspection, CallError> {
        inspection(serde_json::from_str(json).expect("JSON"), "rds:DescribeDBInstanceSSL", moment())
    }

    fn read(json: &str) -> Reading {
        match inspect(json) {
            Ok(Inspection::Read(reading)) => reading,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_on_and_off_is_understood() {
        for (name, json, want) in [
            (
                "Redis on",
                r#"{"SSLEnabled":"Enable","SSLExpiredTime":"2027-01-02T03:04:05Z"}"#,
                TlsState::Enabled,
            ),
            ("Redis off", r#"{"SSLEnabled":"Disable"}"#, TlsState::Disabled),
            ("MySQL on", r#"{"SSLEnabled":"Yes","SSLExpireTime":"2027-01-02T03:04:05Z"}"#, TlsState::Enabled),
            ("MySQL off", r#"{"SSLEnabled":"No","SSLExpireTime":""}"#, TlsState::Disabled),
            (
                "PostgreSQL on",
                r#"{"SSLEnabled":"on","SSLExpireTime":"2027-01-02T03:04:05Z"}"#,
                TlsState::Enabled,
            ),
            ("PostgreSQL off", r#"{"SSLEnabled":"off"}"#, TlsState::Disabled),
            ("dds on", r#"{"SSLStatus":"Open","SSLExpiredTime":"2027-01-02T03:04:05Z"}"#, TlsState::Enabled),
            ("dds off", r#"{"SSLStatus":"Closed"}"#, TlsState::Disabled),
            ("number", r#"{"SSLEnabled":1,"SSLExpireTime":"2027-01-02T03:04:05Z"}"#, TlsState::Enabled),
            ("only an empty end", r#"{"SSLExpireTime":""}"#, TlsState::Disabled),
        ] {
            assert_eq!(read(json).state, want, "{name}");
        }
    }

    #[test]
    fn an_end_that_comes_with_off_is_no_certificate() {
        let reading = read(r#"{"SSLEnabled":"No","SSLExpireTime":"2020-01-01T00:00:00Z"}"#);
        assert_eq!((reading.state, reading.certificates), (TlsState::Disabled, vec![]));
    }

    #[test]
    fn times_are_read_in_every_form_and_nothing_becomes_1970() {
        for (text, want) in [
            ("2022-10-11T08:16:43Z", Some("2022-10-11T08:16:43+00:00")),
            ("2022-10-11T08:16:43.250Z", Some("2022-10-11T08:16:43.250+00:00")),
            ("2022-10-11T16:16:43+08:00", Some("2022-10-11T08:16:43+00:00")),
            ("2022-10-11T16:16:43+0800", Some("2022-10-11T08:16:43+00:00")),
            ("2021-11-25T16:00Z", Some("2021-11-25T16:00:00+00:00")),
            ("2021-11-25", Some("2021-11-25T00:00:00+00:00")),
            ("2022-10-11T08:16:43", None),
            ("2022-10-11 08:16:43", None),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59+00:00")),
            ("0001-01-01T00:00:00Z", None),
            ("1970-01-01T00:00:00Z", None),
            ("1795910400", None),
            ("soon", None),
            ("-", None),
            ("", None),
            ("2022-13-11T08:16:43Z", None),
            ("+22022-10-11T08:16:43Z", None),
        ] {
            assert_eq!(time(text).map(|time| time.to_rfc3339()), want.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn an_unreadable_end_says_on_and_names_what_was_found() {
        for (found, json) in [
            ("nothing", r#"{"SSLEnabled":"on"}"#),
            ("`-`", r#"{"SSLEnabled":"on","SSLExpireTime":"-"}"#),
            ("``", r#"{"SSLEnabled":"Yes","SSLExpireTime":""}"#),
            ("`0001-01-01T00:00:00Z`", r#"{"SSLStatus":"Open","SSLExpiredTime":"0001-01-01T00:00:00Z"}"#),
            ("a list or an object", r#"{"SSLStatus":"Open","SSLExpiredTime":["2027"]}"#),
        ] {
            let Ok(Inspection::ReadInPart(reading, text)) = inspect(json) else { panic!("{json}") };
            assert_eq!(reading.state, TlsState::Enabled);
            assert!(text.ends_with(&format!("cannot be read: found {found}")), "{text}");
        }
    }

    #[test]
    fn an_answer_that_does_not_say_whether_tls_is_on_is_an_error() {
        for json in [r#"{"RequestId":"x"}"#, r#"{"SSLEnabled":"maybe"}"#, r#"{"SSLEnabled":["Yes"]}"#] {
            assert_eq!(inspect(json).expect_err(json).kind, CallErrorKind::Unreadable);
        }
    }

    #[test]
    fn who_manages_it_and_whether_the_cloud_wants_a_renewal() {
        let json = r#"{"SSLEnabled":"on","SSLExpireTime":"2027-01-02T03:04:05Z","CAType":"custom","RequireUpdate":1,
                       "ConnectionString":"pgm-1.pg.rds.aliyuncs.com","SSLCreateTime":"2026-01-02T03:04:05Z"}"#;
        let reading = read(json);
        assert_eq!((reading.managed_by, reading.renewal_required), (Some(ManagedBy::Customer), Some(true)));
        assert_eq!(&*reading.certificates[0].subject.common_name, "pgm-1.pg.rds.aliyuncs.com");
        assert!(reading.certificates[0].not_before.is_some());
    }

    #[test]
    fn rows_become_resources_with_words_shared() {
        let row = |json: &str| serde_json::from_str::<Instance>(json).expect("JSON");
        let mut words = Interner::default();
        let redis = row(
            r#"{"InstanceId":"r-1","InstanceName":"订单库","InstanceStatus":"Normal","InstanceType":"Tair",
            "EngineVersion":"7.0","ArchitectureType":"cluster","Tags":{"Tag":[{"Key":"env","Value":"prod"}]}}"#,
        );
        let listed_redis = listed(Product::Redis, redis, &mut words).expect("listed");
        assert_eq!((&*listed_redis.facts.engine, &*listed_redis.facts.name), ("Tair 7.0 cluster", "订单库"));
        assert_eq!(&*listed_redis.facts.tags[0].1, "prod");
        let rds = row(
            r#"{"DBInstanceId":"rr-1","DBInstanceStatus":"Creating","Engine":"MySQL","EngineVersion":8.0,
            "MasterInstanceId":"rm-1","LockMode":"LockByExpiration"}"#,
        );
        let rds = listed(Product::Rds, rds, &mut words).expect("listed");
        assert_eq!(
            (rds.facts.group.as_deref(), rds.facts.locked, rds.inspectable),
            (Some("rm-1"), true, false)
        );
        assert_eq!(listed(Product::Rds, row(r#"{"DBInstanceId":""}"#), &mut words), None);
    }
}
