//! What stands at the moment, for receivers that are told the whole state again and again (Alertmanager).
//!
//! No memory is needed: a stage was entered when its threshold was crossed, and what is no longer here has ended.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::World;
use super::facts::{self, Subject};
use super::judge::Judge;
use super::memory::Memory;
use super::message::{CertificateFacts, CertificateItem, Item, News, Severity, SourceItem, SourceNews};
use super::routing::ChannelRules;
use super::sources;
use crate::domain::finding::Stage;

/// The present state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What is wrong now. Only `News::Entered` and `SourceNews::Blind`.
    pub open: Vec<Open>,
    /// What was wrong a moment ago.
    pub ended: Vec<Ended>,
    /// The moment of this state.
    pub now: DateTime<Utc>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What.
    pub item: Item,
    /// Since when; never in the future.
    pub since: DateTime<Utc>,
}

/// Something that was wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// As it was told last.
    pub was: Open,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// The certificate as it is now; `None` if it is no longer there, or was none.
    pub now: Option<CertificateFacts>,
}

/// What ended is told for so long.
pub const TELL_ENDED: TimeDelta = TimeDelta::minutes(15);

impl State {
    /// The same things are wrong, in the same stages, and the same have ended.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let open =
            |state: &Self| state.open.iter().map(|open| (key(open), stage_of(open))).collect::<Vec<_>>();
        let ended = |state: &Self| state.ended.iter().map(|ended| key(&ended.was)).collect::<Vec<_>>();
        open(self) == open(other) && ended(self) == ended(other)
    }
}

fn stage_of(open: &Open) -> Option<Stage> {
    match &open.item {
        Item::Certificate(CertificateItem { news: News::Entered { stage, .. }, .. }) => Some(*stage),
        _ => None,
    }
}

/// What is wrong now, for one channel: every certificate in a stage that a route leads there, and every source that
/// counts as blind.
pub fn open(world: &World<'_>, memory: &Memory, channel: &ChannelRules) -> Vec<Open> {
    let judge = Judge { world, memory };
    let mut open = Vec::new();
    for (scope, resource) in world.snapshot.resources() {
        for certificate in resource.certificates() {
            let subject = Subject::new(scope, resource, certificate);
            open.extend(judge.standing(&subject, channel));
        }
    }
    open.extend(memory.blind.values().filter(|source| source.recovered_at.is_none()).map(|source| {
        let severity = sources::severity(source.since, &source.facts, world.now);
        let news = SourceNews::Blind { since: source.since, severity, again: false };
        let item = Item::Source(SourceItem { news, ..source.facts.clone() });
        Open { item, since: source.since.min(world.now) }
    }));
    open
}

/// What ended between two states, and what ended a moment before and is still told.
pub fn ended(before: &State, open: &[Open], world: &World<'_>) -> Vec<Ended> {
    let still = before.ended.iter().filter(|ended| world.now - ended.at < TELL_ENDED);
    let mut ended: Vec<Ended> = still.cloned().collect();
    let keys: HashSet<Key> = open.iter().map(key).collect();
    let over = before.open.iter().filter(|was| !keys.contains(&key(was)));
    ended.extend(over.map(|was| Ended { was: was.clone(), at: world.now, now: present(world, was) }));
    // what is wrong again has not ended
    ended.retain(|ended| !keys.contains(&key(&ended.was)));
    ended
}

/// Identity of an alert: a severity is a part of it, because receivers see it as a label.
type Key = (String, Severity);

fn key(open: &Open) -> Key {
    let name = match &open.item {
        Item::Certificate(item) => item.facts.fingerprint.to_string(),
        Item::Source(item) => format!("{}/{}/{}", item.provider, item.account, item.reason),
        Item::Channel(item) => item.channel.to_string(),
        // never stands in a state: what a renewal is about does
        Item::Renewal(item) => item.attempt.to_string(),
    };
    (name, open.item.severity())
}

fn present(world: &World<'_>, was: &Open) -> Option<CertificateFacts> {
    let Item::Certificate(item) = &was.item else { return None };
    let (scope, view) = world.snapshot.scopes.get_key_value(&item.facts.scope())?;
    let resource = view.resources.get(&item.facts.resource_id)?;
    let mut certificates = resource.certificates().iter();
    let certificate = certificates.find(|certificate| certificate.role.as_str() == &*item.facts.role)?;
    Some(facts::of(&Subject::new(scope, resource, certificate), world))
}
