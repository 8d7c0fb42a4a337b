//! What was told to whom. Owned by the watch loop, written to the store together with the messages that change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::{CertificateFacts, Fingerprint, Gone, Severity, SourceItem};
use crate::domain::finding::Stage;

/// Everything that is remembered. Empty on the first start.
///
/// Only certificates that somebody was told of are in it, so it grows with trouble and not with the fleet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Certificates that somebody was told of.
    pub certificates: BTreeMap<Fingerprint, Arc<Past>>,
    /// Scopes that fail, by the text of the scope (`prod/alibaba/redis/cn-hangzhou`).
    pub troubles: BTreeMap<Box<str>, Trouble>,
    /// Blind sources that somebody was told of, by `provider/account/reason`.
    pub blind: BTreeMap<Box<str>, Blind>,
    /// Channels that had their first message, by name.
    pub channels: BTreeMap<Box<str>, ChannelPast>,
}

/// What was told of one certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// As it was when somebody was last told, for the day on which it is gone.
    pub facts: CertificateFacts,
    /// The end that is believed: read twice, or told already.
    pub epoch: DateTime<Utc>,
    /// Another end that was read, and is not believed yet.
    pub doubt: Option<Doubt>,
    /// It is not there any more, according to one answer.
    pub missing: Option<Missing>,
    /// By channel, every end that was told and how deep. Never cleared while the resource exists, so that an old
    /// certificate that comes back stays told.
    pub told: BTreeMap<Box<str>, Vec<Told>>,
}

/// Another end than the one that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The one that was read last.
    pub not_after: DateTime<Utc>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Several were read in turn; since when, and the earliest of them.
    #[serde(default)]
    pub turns: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The end that is believed was read since.
    #[serde(default)]
    pub interrupted: bool,
}

impl Doubt {
    /// An end that was read once.
    pub fn once(not_after: DateTime<Utc>, read_at: DateTime<Utc>) -> Self {
        Self { not_after, read_at, turns: None, interrupted: false }
    }

    /// Since when the end that is believed was not read.
    pub fn since(&self) -> DateTime<Utc> {
        self.turns.map_or(self.read_at, |(since, _)| since)
    }

    /// The earliest end that was read.
    pub fn earliest(&self) -> DateTime<Utc> {
        self.turns.map_or(self.not_after, |(_, earliest)| earliest)
    }

    /// Yet another end was read.
    #[must_use]
    pub fn followed_by(&self, not_after: DateTime<Utc>, read_at: DateTime<Utc>) -> Self {
        let since = if self.interrupted { read_at } else { self.since() };
        Self { turns: Some((since, self.earliest().min(not_after))), ..Self::once(not_after, read_at) }
    }
}

/// A certificate that one answer did not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// When that was noticed.
    pub since: DateTime<Utc>,
    /// When the answer came (the listing, or the look) that did not have it.
    pub answered_at: Option<DateTime<Utc>>,
    /// What became of it, once a second answer did not have it either.
    pub confirmed: Option<Gone>,
}

/// What one channel was told of one end of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which end.
    pub not_after: DateTime<Utc>,
    /// The deepest stage that was told.
    pub stage: Stage,
    /// When it was told last, reminders among it.
    pub at: DateTime<Utc>,
}

/// A scope that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Attempts that failed since.
    pub rounds: u32,
    /// When the last of them failed.
    pub last_failure: DateTime<Utc>,
}

/// A blind source that somebody was told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blind {
    /// As it was told last.
    pub facts: SourceItem,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The scopes, by their text.
    pub scopes: Vec<Box<str>>,
    /// When all of them could be read again, or none of them was watched any more.
    pub recovered_at: Option<DateTime<Utc>>,
    /// It was the latter.
    #[serde(default)]
    pub unwatched: bool,
    /// By channel: how bad it was said to be, and when that was said last.
    pub told: BTreeMap<Box<str>, ToldBlind>,
}

/// What one channel was told of a blind source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldBlind {
    /// How bad.
    pub severity: Severity,
    /// When it was told last.
    pub at: DateTime<Utc>,
}

/// What is known of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPast {
    /// When it had its first message, or would have had one.
    pub since: DateTime<Utc>,
    /// By digest (its time and days as text): when the last one was due.
    pub digests: BTreeMap<Box<str>, DateTime<Utc>>,
}

/// One row of the memory, as the store keeps it: a kind, a key within it, and the value; `None` takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `certificate`, `trouble`, `blind` or `channel`.
    pub kind: &'static str,
    /// The key within the kind.
    pub key: Box<str>,
    /// The value as JSON.
    pub value: Option<String>,
}

/// A row that this program does not understand.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {key}: {problem}")]
pub struct OddRow {
    kind: Box<str>,
    key: Box<str>,
    problem: String,
}

impl Memory {
    /// Nobody was ever told anything.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The rows that turn a stored copy of `old` into a copy of `self`.
    pub fn rows_since(&self, old: &Self) -> Vec<Row> {
        let mut rows = Vec::new();
        let same = |a: &Arc<Past>, b: &Arc<Past>| Arc::ptr_eq(a, b) || a == b;
        changed(
            "certificate",
            &old.certificates,
            &self.certificates,
            same,
            |past| to_json(&**past),
            &mut rows,
        );
        changed("trouble", &old.troubles, &self.troubles, PartialEq::eq, to_json, &mut rows);
        changed("blind", &old.blind, &self.blind, PartialEq::eq, to_json, &mut rows);
        changed("channel", &old.channels, &self.channels, PartialEq::eq, to_json, &mut rows);
        rows
    }

    /// Takes in a stored row.
    ///
    /// # Errors
    /// The row is not of this program; nothing was taken in.
    pub fn take_in(&mut self, kind: &str, key: &str, value: &str) -> Result<(), OddRow> {
        let odd = |problem: String| OddRow { kind: kind.into(), key: key.into(), problem };
        match kind {
            "certificate" => {
                let key = key.parse().map_err(|error: std::num::ParseIntError| odd(error.to_string()))?;
                self.certificates.insert(key, Arc::new(json(value).map_err(odd)?));
            }
            "trouble" => drop(self.troubles.insert(key.into(), json(value).map_err(odd)?)),
            "blind" => drop(self.blind.insert(key.into(), json(value).map_err(odd)?)),
            "channel" => drop(self.channels.insert(key.into(), json(value).map_err(odd)?)),
            _ => return Err(odd("of an unknown kind".to_owned())),
        }
        Ok(())
    }
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("maps with text keys become JSON")
}

fn changed<K: Ord + ToString, V>(
    kind: &'static str,
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    same: impl Fn(&V, &V) -> bool,
    text: impl Fn(&V) -> String,
    rows: &mut Vec<Row>,
) {
    for (key, value) in new {
        if !old.get(key).is_some_and(|old| same(old, value)) {
            rows.push(Row { kind, key: key.to_string().into(), value: Some(text(value)) });
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(key)) {
        rows.push(Row { kind, key: key.to_string().into(), value: None });
    }
}
