//! A run of resources as bytes, for one column. The shapes in here are the stored format: they change only together with
//! [`FORMAT`], and what an earlier one wrote stays readable or goes with a migration. Domain types know nothing of them.
//!
//! Everything is asked of the store once, at the start, and a fleet of a hundred thousand is written whole when it is
//! first known. So many resources stand in one row, their fields in order and without names (`postcard`), and what they
//! have in common once (`lz4`): next to what is made of them, packing costs little, and all that is behind it, down to the
//! disk, is paid for by the byte.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lz4_flex::block;
use serde::{Deserialize, Serialize};

use super::json::{FailureText, one_of};
use super::words::{Odd, moment, number, stamp};
use crate::domain::identity::CertRole;
use crate::domain::interner::Interner;
use crate::domain::resource::{
    Certificate, DateSource, Facts, ManagedBy, Reading, Resource, Subject, TlsState,
};
use crate::domain::shelf::Chunk;

/// The first byte of what is written today.
const FORMAT: u8 = 2;

/// No run of resources is larger, in bytes: room for all is made before anything is read.
const MOST: usize = 256 << 20;

/// The states by which TLS can be on or off, for reading their words.
const STATES: [TlsState; 4] =
    [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown];

#[derive(Serialize, Deserialize)]
struct ResourceText<'t> {
    #[serde(borrow)]
    id: Cow<'t, str>,
    #[serde(borrow)]
    facts: FactsText<'t>,
    #[serde(borrow)]
    reading: Option<ReadingText<'t>>,
    #[serde(borrow)]
    failure: Option<FailureText<'t>>,
    failures_in_a_row: u32,
    looked_at: Option<i64>,
    /// Wall time: the daemon's own timeline ends with the daemon.
    next_look_at: Option<i64>,
    carried: bool,
}

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
    /// Absent in what the first version wrote as JSON.
    #[serde(borrow, default)]
    names: Vec<Cow<'t, str>>,
}

/// Writes resources. Their next looks are on the daemon's timeline, which began at `timeline_start`.
pub(super) fn write(resources: &[Arc<Resource>], timeline_start: DateTime<Utc>) -> Vec<u8> {
    let texts: Vec<_> = resources.iter().map(|resource| resource_text(resource, timeline_start)).collect();
    let plain = postcard::to_stdvec(&texts).expect("texts, numbers and lists of known length");
    [&[FORMAT][..], &block::compress_prepend_size(&plain)].concat()
}

/// Reads resources. A next look that is past becomes the beginning of the timeline.
pub(super) fn read(bytes: &[u8], timeline_start: DateTime<Utc>, words: &mut Interner) -> Result<Chunk, Odd> {
    let (format, bytes) = bytes.split_first().ok_or(Odd::Columns)?;
    if *format != FORMAT {
        return Err(Odd::Format(*format));
    }
    let (size, bytes) = block::uncompressed_size(bytes)?;
    if size > MOST {
        return Err(Odd::Columns);
    }
    let plain = block::decompress(bytes, size)?;
    let (texts, left) = postcard::take_from_bytes::<Vec<ResourceText<'_>>>(&plain)?;
    if !left.is_empty() {
        return Err(Odd::Columns);
    }
    texts.into_iter().map(|text| resource(text, timeline_start, words).map(Arc::new)).collect()
}

/// The columns of a resource as they were before resources shared rows (`single`).
pub(super) struct Columns<'t> {
    pub(super) id: &'t str,
    /// JSON, as are the next two.
    pub(super) facts: &'t str,
    pub(super) reading: Option<&'t str>,
    pub(super) failure: Option<&'t str>,
    pub(super) failures_in_a_row: i64,
    pub(super) looked_at: Option<i64>,
    pub(super) next_look_at: Option<i64>,
    pub(super) carried: bool,
}

impl Columns<'_> {
    pub(super) fn read(self, timeline_start: DateTime<Utc>, words: &mut Interner) -> Result<Resource, Odd> {
        let text = ResourceText {
            id: Cow::Borrowed(self.id),
            facts: serde_json::from_str(self.facts)?,
            reading: self.reading.map(serde_json::from_str).transpose()?,
            failure: self.failure.map(serde_json::from_str).transpose()?,
            failures_in_a_row: number(self.failures_in_a_row)?,
            looked_at: self.looked_at,
            next_look_at: self.next_look_at,
            carried: self.carried,
        };
        resource(text, timeline_start, words)
    }
}

fn resource_text(resource: &Resource, timeline_start: DateTime<Utc>) -> ResourceText<'_> {
    let wall = |due: Duration| timeline_start.checked_add_signed(TimeDelta::from_std(due).ok()?);
    ResourceText {
        id: Cow::Borrowed(&resource.id),
        facts: facts_text(&resource.facts),
        reading: resource.reading.as_ref().map(reading_text),
        failure: resource.failure.as_deref().map(FailureText::of),
        failures_in_a_row: resource.failures_in_a_row,
        looked_at: resource.looked_at.map(stamp),
        next_look_at: resource.due.and_then(wall).map(stamp),
        carried: resource.carried,
    }
}

fn resource(
    text: ResourceText<'_>,
    timeline_start: DateTime<Utc>,
    words: &mut Interner,
) -> Result<Resource, Odd> {
    let mut resource = Resource::new((*text.id).into(), facts(text.facts, words));
    resource.reading = text.reading.map(reading).transpose()?;
    resource.failure = text.failure.map(FailureText::read).transpose()?.map(Box::new);
    resource.failures_in_a_row = text.failures_in_a_row;
    resource.carried = text.carried;
    resource.looked_at = text.looked_at.map(moment).transpose()?;
    let next_look = text.next_look_at.map(moment).transpose()?;
    resource.due = next_look.map(|at| (at - timeline_start).to_std().unwrap_or(Duration::ZERO));
    Ok(resource)
}

fn facts_text(facts: &Facts) -> FactsText<'_> {
    let tags = facts.tags.iter().map(|(key, value)| (Cow::Borrowed(&**key), Cow::Borrowed(&**value)));
    FactsText {
        name: Cow::Borrowed(&facts.name),
        status: Cow::Borrowed(&facts.status),
        engine: Cow::Borrowed(&facts.engine),
        tags: tags.collect(),
        group: facts.group.as_deref().map(Cow::Borrowed),
        locked: facts.locked,
        in_use: facts.in_use,
        used_by: facts.used_by.iter().map(|user| Cow::Borrowed(&**user)).collect(),
    }
}

fn facts(text: FactsText<'_>, words: &mut Interner) -> Facts {
    let FactsText { name, status, engine, tags, group, locked, in_use, used_by } = text;
    Facts {
        name: name.into(),
        status: words.share(&status),
        engine: words.share(&engine),
        tags: words.share_tags(tags),
        group: group.map(Into::into),
        locked,
        in_use,
        used_by: used_by.into_iter().map(Into::into).collect(),
    }
}

fn reading_text(reading: &Reading) -> ReadingText<'_> {
    ReadingText {
        state: Cow::Borrowed(reading.state.as_str()),
        certificates: reading.certificates.iter().map(certificate_text).collect(),
        managed_by: reading.managed_by.map(|by| Cow::Borrowed(by.as_str())),
        renewal_required: reading.renewal_required,
        at: stamp(reading.at),
    }
}

fn reading(text: ReadingText<'_>) -> Result<Reading, Odd> {
    let ReadingText { state, certificates, managed_by, renewal_required, at } = text;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::{Failure, Reason};
    use crate::domain::testing::{certificate, moment, reading, resource};

    fn two() -> Vec<Arc<Resource>> {
        let read = Resource { reading: Some(reading(vec![certificate(moment())])), ..resource("r-1") };
        [read, resource("r-2")].map(Arc::new).into()
    }

    /// The stored format. Who changes it changes [`FORMAT`] too, and says what happens to what was stored.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut chunk = two();
        let one = Arc::make_mut(&mut chunk[0]);
        (one.failures_in_a_row, one.looked_at) = (300, Some(DateTime::UNIX_EPOCH));
        one.due = Some(Duration::from_secs(1));
        one.failure = Some(Box::new(Failure { reason: Reason::Timeout, text: "slow".into(), at: moment() }));
        let bytes = write(&chunk, DateTime::UNIX_EPOCH);
        let want = [
            "\\x02\\x03r-1\\x06orders\\x06Normal\\tRedis 7.0\\x00\\x00\\x00\\x00\\x00",
            "\\x01\\x07enabled\\x01\\x06server\\x80\\xa0\\xa7\\xa4\\xc0h\\x00\\x03api\\x00",
            "\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\xa0\\xa7\\xa4\\xc0h",
            "\\x01\\x07timeout\\x04slow\\x80\\xa0\\xa7\\xa4\\xc0h\\xac\\x02\\x01\\x00\\x01\\xd0\\x0f\\x00",
            "\\x03r-2\\x06orders\\x06Normal\\tRedis 7.0\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
        ];
        let plain = block::decompress_size_prepended(&bytes[1..]).expect("its own");
        assert_eq!((bytes[0], plain.escape_ascii().to_string()), (FORMAT, want.concat()));
    }

    /// As it was written by the first version that squeezed it.
    #[test]
    fn what_was_stored_stays_readable() {
        let stored = b"\x02y\x00\x00\x00\xf0\x0f\x02\x03r-1\x06orders\x06Normal\tRedis 7.0\x00\x01\x00\xf0\r\x01\x07enabled\
            \x01\x06server\x80\xa0\xa7\xa4\xc0h\x00\x03api \x00\x01\x02\x00\x03\x14\x00\x00\x0c\x00O\x03r-2Q\x00\n`\x00\x00\x00\x00\x00\x00";
        let read = read(stored, moment(), &mut Interner::default()).expect("known");
        assert_eq!(read, two());
    }

    #[test]
    fn a_word_that_is_not_known_is_not_taken_for_another() {
        let bytes = write(&two(), moment());
        let state = bytes.windows(7).position(|window| window == b"enabled").expect("the first one's");
        let mut odd = bytes;
        odd[state..state + 7].copy_from_slice(b"purple!");
        let error = read(&odd, moment(), &mut Interner::default()).expect_err("no such state");
        assert_eq!(error.to_string(), "unknown word `purple!`");
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        let written = write(&two(), moment());
        let read = |bytes: &[u8]| read(bytes, moment(), &mut Interner::default());
        assert_eq!(read(&written).expect("its own").as_slice(), two());
        let mut longer = written.clone();
        longer.push(0);
        let mut newer = written.clone();
        newer[0] = FORMAT + 1;
        let cut = &written[..written.len() - 1];
        let plain = block::decompress_size_prepended(&written[1..]).expect("its own");
        let squeezed = |plain: &[u8]| [&[FORMAT][..], &block::compress_prepend_size(plain)].concat();
        for (name, bytes, want) in [
            ("nothing", &[][..], "it is not what its columns say"),
            ("another format", &newer, "a format that is not known: 3"),
            ("cut off", cut, "it cannot be unpacked: literal is out of bounds of the input"),
            ("longer", &longer, "it cannot be unpacked: expected another byte, found none"),
            ("said to be enormous", &[FORMAT, 0, 0, 0, 255], "it is not what its columns say"),
            (
                "cut off before it was squeezed",
                &squeezed(&plain[..plain.len() - 1]),
                "it cannot be unpacked: Hit the end of buffer, expected more data",
            ),
            (
                "more than there should be",
                &squeezed(&[&plain[..], &[0]].concat()),
                "it is not what its columns say",
            ),
        ] {
            assert_eq!(read(bytes).expect_err(name).to_string(), want, "{name}");
        }
    }
}
