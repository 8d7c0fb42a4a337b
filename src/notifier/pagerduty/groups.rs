//! Incidents of many certificates: who is in one, and when the last has left.
//!
//! It is remembered in the notes of the channel, since nothing about a single certificate says that it was told among
//! others: `group:FINGERPRINT` is the key of the incident and the end that it was told for, `members:KEY` are those
//! that are still in it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::alert::message::CertificateFacts;

/// Which of the two calls of a certificate: about to end, or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// About to end.
    Expiring,
    /// Over.
    Expired,
}

/// Keys and values to remember.
pub type Notes = Vec<(String, String)>;

/// The incidents that a message touches.
pub struct Groups<'a> {
    notes: &'a dyn Fn(&str) -> Option<String>,
    left: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Groups<'a> {
    /// As the notes have them.
    pub fn new(notes: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { notes, left: BTreeMap::new() }
    }

    /// The incident in which a certificate was told with others, for its present end.
    pub fn of(&self, facts: &CertificateFacts, phase: Phase) -> Option<String> {
        self.noted(facts, facts.not_after, phase)
    }

    /// A certificate is out of trouble for that end.
    pub fn leave(&mut self, facts: &CertificateFacts, not_after: DateTime<Utc>) {
        for phase in [Phase::Expiring, Phase::Expired] {
            let Some(key) = self.noted(facts, not_after, phase) else { continue };
            let notes = self.notes;
            let members = self.left.entry(key).or_insert_with_key(|key| members(notes, key));
            members.remove(&facts.fingerprint.to_string());
        }
    }

    /// The incidents that nobody is in any more, and what to remember of all that were left.
    pub fn settled(self) -> (Vec<String>, Notes) {
        let closed = self.left.iter().filter(|(_, members)| members.is_empty()).map(|(key, _)| key.clone());
        let closed = closed.collect();
        let listed = |members: BTreeSet<String>| members.into_iter().collect::<Vec<_>>().join(" ");
        (closed, self.left.into_iter().map(|(key, left)| (members_note(&key), listed(left))).collect())
    }

    /// What to remember of a new incident.
    pub fn begun<'f>(key: &str, members: impl Iterator<Item = (&'f CertificateFacts, Phase)>) -> Notes {
        let (mut notes, mut listed) = (Notes::new(), Vec::new());
        for (facts, phase) in members {
            let fingerprint = facts.fingerprint.to_string();
            notes.push((note(&fingerprint, phase), format!("{key} {}", facts.not_after.timestamp())));
            listed.push(fingerprint);
        }
        notes.push((members_note(key), listed.join(" ")));
        notes
    }

    fn noted(&self, facts: &CertificateFacts, not_after: DateTime<Utc>, phase: Phase) -> Option<String> {
        let text = (self.notes)(&note(&facts.fingerprint.to_string(), phase))?;
        let (key, epoch) = text.rsplit_once(' ')?;
        (epoch == not_after.timestamp().to_string()).then(|| key.to_owned())
    }
}

fn note(fingerprint: &str, phase: Phase) -> String {
    match phase {
        Phase::Expiring => format!("group:{fingerprint}"),
        Phase::Expired => format!("group-expired:{fingerprint}"),
    }
}

fn members_note(key: &str) -> String {
    format!("members:{key}")
}

fn members(notes: &dyn Fn(&str) -> Option<String>, key: &str) -> BTreeSet<String> {
    let listed = notes(&members_note(key)).unwrap_or_default();
    listed.split_whitespace().map(str::to_owned).collect()
}
