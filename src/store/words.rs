//! Small parts of rows: times, keys, and words that many rows share.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::domain::identity::Scope;
use crate::domain::interner::Interner;

/// What is written as `%XX` in a key. PostgreSQL takes no NUL in a text; a scope's parts are joined by `/`.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'/');

/// A row that this program did not write.
#[derive(Debug, thiserror::Error)]
pub(super) enum Odd {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] postcard::Error),
    #[error("it cannot be unpacked: {0}")]
    Squeezed(#[from] lz4_flex::block::DecompressError),
    #[error("a format that is not known: {0}")]
    Format(u8),
    #[error("unknown word `{0}`")]
    Word(Box<str>),
    #[error("a time out of range: {0}")]
    Time(i64),
    #[error("a number out of range: {0}")]
    Number(i64),
    #[error("not the key of a scope")]
    Key,
    #[error("it is not what its columns say")]
    Columns,
    #[error("it says something that is not known (`{0}`)")]
    Unknown(Box<str>),
}

/// Rows that this program did not write.
#[derive(Debug, Default)]
pub(super) struct OddRows {
    /// How many, and what was odd about the first.
    pub(super) found: Option<(usize, String)>,
}

impl OddRows {
    pub(super) fn count(&self) -> usize {
        self.found.as_ref().map_or(0, |(count, _)| *count)
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        self.found.get_or_insert_with(|| (0, what())).0 += 1;
    }
}

/// A time as stored: milliseconds since 1970, UTC.
pub(super) fn stamp(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

pub(super) fn moment(stamp: i64) -> Result<DateTime<Utc>, Odd> {
    DateTime::from_timestamp_millis(stamp).ok_or(Odd::Time(stamp))
}

/// A time as stored where it must come back as it was: nanoseconds since 1970, UTC. `None` before 1678 and after 2261.
pub(super) fn exact(at: DateTime<Utc>) -> Option<i64> {
    at.timestamp_nanos_opt()
}

pub(super) fn precise(exact: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(exact)
}

pub(super) fn number<N: TryFrom<i64>>(stored: i64) -> Result<N, Odd> {
    N::try_from(stored).map_err(|_| Odd::Number(stored))
}

/// The key of a scope: `alibaba/prod//cn-hangzhou/redis`.
pub(super) fn scope_key(scope: &Scope) -> String {
    let Scope { provider, account, project, region, service } = scope;
    let mut key = String::with_capacity(64);
    for (n, part) in [provider, account, project, region, service].into_iter().enumerate() {
        let slash = if n == 0 { "" } else { "/" };
        write!(key, "{slash}{}", utf8_percent_encode(part, ESCAPED))
            .expect("writing into memory cannot fail");
    }
    key
}

pub(super) fn scope_of(key: &str, words: &mut Interner) -> Result<Scope, Odd> {
    let parts = key.split('/').map(|part| Ok(words.share(&plain(part)?)));
    let parts = parts.collect::<Result<Vec<Arc<str>>, Odd>>()?;
    let [provider, account, project, region, service] = parts.try_into().map_err(|_| Odd::Key)?;
    Ok(Scope { provider, account, project, region, service })
}

/// The cloud's id of a resource as a key.
pub(super) fn id_key(id: &str) -> String {
    utf8_percent_encode(id, ESCAPED).to_string()
}

pub(super) fn id_of(key: &str) -> Result<Arc<str>, Odd> {
    Ok(plain(key)?.into())
}

fn plain(escaped: &str) -> Result<Cow<'_, str>, Odd> {
    percent_decode_str(escaped).decode_utf8().map_err(|_| Odd::Key)
}
