//! Values with parts as JSON, for one column each. The shapes in here are the stored format: they change only together
//! with a migration. Domain types know nothing of them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::words::{Odd, moment, stamp};
use crate::domain::identity::CertRole;
use crate::domain::interner::Interner;
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, TlsState};

/// The states by which TLS can be on or off, for reading their words.
const STATES: [TlsState; 4] =
    [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown];

#[derive(Serialize, Deserialize)]
struct FactsText<'t> {
    #[serde(borrow)]
    name: Cow<'t, str>,
    #[serde(borrow)]
    status: Cow<'t, str>,
    #[serde(borrow)]
    engine: Cow<'t, str>,
    #[serde(borrow)]
    tags: Vec<(Cow<'t, str>, Cow<'t, str>)>,
    #[serde(borrow)]
    group: Option<Cow<'t, str>>,
    locked: bool,
    in_use: Option<bool>,
    #[serde(borrow)]
    used_by: Vec<Cow<'t, str>>,
}

#[derive(Serialize, Deserialize)]
struct ReadingText<'t> {
    #[serde(borrow)]
    state: Cow<'t, str>,
    #[serde(borrow)]
    certificates: Vec<CertificateText<'t>>,
    #[serde(borrow)]
    managed_by: Option<Cow<'t, str>>,
    renewal_required: Option<bool>,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct CertificateText<'t> {
    #[serde(borrow)]
    role: Cow<'t, str>,
    not_after: i64,
    not_before: Option<i64>,
    #[serde(borrow)]
    source: Cow<'t, str>,
    other_not_after: Option<i64>,
    #[serde(borrow)]
    common_name: Cow<'t, str>,
    #[serde(borrow)]
    issuer: Cow<'t, str>,
    #[serde(borrow)]
    serial: Cow<'t, str>,
    #[serde(borrow)]
    sha256: Cow<'t, str>,
    #[serde(borrow)]
    key: Cow<'t, str>,
    /// Absent in what earlier versions wrote.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<Cow<'t, str>>,
}

#[derive(Serialize, Deserialize)]
struct FailureText<'t> {
    #[serde(borrow)]
    reason: Cow<'t, str>,
    #[serde(borrow)]
    text: Cow<'t, str>,
    at: i64,
}

pub(super) fn write_facts(facts: &Facts) -> String {
    let tags = facts.tags.iter().map(|(key, value)| (Cow::Borrowed(&**key), Cow::Borrowed(&**value)));
    to_text(&FactsText {
        name: Cow::Borrowed(&facts.name),
        status: Cow::Borrowed(&facts.status),
        engine: Cow::Borrowed(&facts.engine),
        tags: tags.collect(),
        group: facts.group.as_deref().map(Cow::Borrowed),
        locked: facts.locked,
        in_use: facts.in_use,
        used_by: facts.used_by.iter().map(|user| Cow::Borrowed(&**user)).collect(),
    })
}

pub(super) fn read_facts(text: &str, words: &mut Interner) -> Result<Facts, Odd> {
    let FactsText { name, status, engine, tags, group, locked, in_use, used_by } =
        serde_json::from_str(text)?;
    Ok(Facts {
        name: name.into(),
        status: words.share(&status),
        engine: words.share(&engine),
        tags: words.share_tags(tags),
        group: group.map(Into::into),
        locked,
        in_use,
        used_by: used_by.into_iter().map(Into::into).collect(),
    })
}

pub(super) fn write_reading(reading: &Reading) -> String {
    to_text(&ReadingText {
        state: Cow::Borrowed(reading.state.as_str()),
        certificates: reading.certificates.iter().map(certificate_text).collect(),
        managed_by: reading.managed_by.map(|by| Cow::Borrowed(by.as_str())),
        renewal_required: reading.renewal_required,
        at: stamp(reading.at),
    })
}

pub(super) fn read_reading(text: &str) -> Result<Reading, Odd> {
    let ReadingText { state, certificates, managed_by, renewal_required, at } = serde_json::from_str(text)?;
    let managed_by =
        managed_by.map(|by| one_of(&[ManagedBy::Cloud, ManagedBy::Customer], ManagedBy::as_str, &by));
    Ok(Reading {
        state: one_of(&STATES, TlsState::as_str, &state)?,
        certificates: certificates.into_iter().map(certificate).collect::<Result<_, _>>()?,
        managed_by: managed_by.transpose()?,
        renewal_required,
        at: moment(at)?,
    })
}

pub(super) fn write_failure(failure: &Failure) -> String {
    to_text(&FailureText {
        reason: Cow::Borrowed(failure.reason.as_str()),
        text: Cow::Borrowed(&failure.text),
        at: stamp(failure.at),
    })
}

pub(super) fn read_failure(text: &str) -> Result<Failure, Odd> {
    let FailureText { reason, text, at } = serde_json::from_str(text)?;
    let reason = one_of(&Reason::ALL, Reason::as_str, &reason)?;
    Ok(Failure { reason, text: text.into(), at: moment(at)? })
}

fn certificate_text(certificate: &Certificate) -> CertificateText<'_> {
    let Subject { common_name, issuer, serial, sha256, key, names } = &certificate.subject;
    CertificateText {
        role: Cow::Borrowed(certificate.role.as_str()),
        not_after: stamp(certificate.not_after),
        not_before: certificate.not_before.map(stamp),
        source: Cow::Borrowed(certificate.source.as_str()),
        other_not_after: certificate.other_not_after.map(stamp),
        common_name: Cow::Borrowed(common_name),
        issuer: Cow::Borrowed(issuer),
        serial: Cow::Borrowed(serial),
        sha256: Cow::Borrowed(sha256),
        key: Cow::Borrowed(key),
        names: names.iter().map(|name| Cow::Borrowed(&**name)).collect(),
    }
}

fn certificate(text: CertificateText<'_>) -> Result<Certificate, Odd> {
    let time = |at: Option<i64>| -> Result<Option<DateTime<Utc>>, Odd> { at.map(moment).transpose() };
    Ok(Certificate {
        role: one_of(&CertRole::ALL, CertRole::as_str, &text.role)?,
        not_after: moment(text.not_after)?,
        not_before: time(text.not_before)?,
        source: one_of(&[DateSource::Api, DateSource::X509], DateSource::as_str, &text.source)?,
        other_not_after: time(text.other_not_after)?,
        subject: Subject {
            common_name: text.common_name.into(),
            issuer: text.issuer.into(),
            serial: text.serial.into(),
            sha256: text.sha256.into(),
            key: text.key.into(),
            names: text.names.into_iter().map(Into::into).collect(),
        },
    })
}

fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str, found: &str) -> Result<T, Odd> {
    let fitting = all.iter().find(|value| word(**value) == found);
    fitting.copied().ok_or_else(|| Odd::Word(found.into()))
}

/// A text as JSON: PostgreSQL takes no NUL in a text, JSON writes it as six characters.
pub(super) fn write_text(text: &str) -> String {
    to_text(&text)
}

pub(super) fn read_text(json: &str) -> Result<Box<str>, Odd> {
    Ok(serde_json::from_str(json)?)
}

pub(super) fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists are always JSON")
}
