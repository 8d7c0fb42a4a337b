//! What stands at the moment, for receivers that are told the whole state again and again (Alertmanager).
//!
//! A stage was entered when its threshold was crossed, and what is no longer here has ended. As with messages, one answer
//! ends nothing: another end, and an absence, count once a second answer says so too. What is believed of the
//! certificates that stand goes from one state to the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::{Belief, World, believe, given_up};
use super::facts::{self, Subject};
use super::gone::{self, Absence};
use super::judge::Judge;
use super::memory::{Memory, Past};
use super::message::{By, CertificateFacts, CertificateItem, Fingerprint, Gone, Item, News, Severity};
use super::routing::ChannelRules;
use super::sources;
use crate::domain::finding::Stage;
use crate::domain::identity::Scope;
use crate::domain::resource::{Certificate, Resource, TlsState};

/// The present state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// What is wrong now. Only `News::Entered` and `SourceNews::Blind`.
    pub open: Vec<Open>,
    /// What was wrong a moment ago.
    pub ended: Vec<Ended>,
    /// The moment of this state.
    pub now: DateTime<Utc>,
    /// For the next state.
    pub believed: Believed,
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
    /// How.
    pub how: How,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// A certificate that ends later took its place.
    Renewed {
        /// The new one.
        now: Box<CertificateFacts>,
        /// Its stage.
        stage: Stage,
        /// Who did it.
        by: By,
    },
    /// The certificate is there and ends no later: it is in another stage, or nobody here is to hear of it any more.
    Otherwise {
        /// As it is now.
        now: Box<CertificateFacts>,
    },
    /// The certificate is not there any more.
    Gone(Gone),
    /// The source can be read again.
    Readable,
    /// Nobody looks at the source any more.
    NotWatched,
}

/// What is believed of the certificates that stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Believed(BTreeMap<Fingerprint, Known>);

/// A certificate that stands, with all that is around it, as of the last answer that is believed.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    /// As if somebody had been told of it.
    past: Past,
    scope: Arc<Scope>,
    resource: Arc<Resource>,
    certificate: Certificate,
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

/// The state after `before`, for one channel: every certificate in a stage and every blind source that a route leads
/// there, and what ended of those that stood before.
pub fn next(before: Option<&State>, world: &World<'_>, memory: &Memory, channel: &ChannelRules) -> State {
    let mut believed = before.map(|before| before.believed.clone()).unwrap_or_default();
    believed.0.values_mut().for_each(|known| known.look(world));
    let (mut open, fresh) = believed.standing(world, memory, channel);
    open.extend(sources::standing(world, memory, channel));
    open.sort_by_cached_key(key);
    let ended = before.map_or_else(Vec::new, |before| ended(before, &open, &believed, world));
    let standing: HashMap<_, _> = open.iter().filter_map(certificate).collect();
    believed.0.retain(|fingerprint, _| standing.contains_key(fingerprint));
    believed.0.extend(fresh);
    State { open, ended, now: world.now, believed }
}

impl Believed {
    /// What stands of the certificates, and those of them that did not stand before: they are believed at sight.
    fn standing(
        &self,
        world: &World<'_>,
        memory: &Memory,
        channel: &ChannelRules,
    ) -> (Vec<Open>, BTreeMap<Fingerprint, Known>) {
        let judge = Judge { world, memory };
        let there = self.0.values().filter(|known| known.gone().is_none());
        let mut open: Vec<_> = there.filter_map(|known| judge.standing(&known.subject(), channel)).collect();
        let mut fresh: BTreeMap<Fingerprint, Known> = BTreeMap::new();
        for (scope, resource) in world.snapshot.resources() {
            for shown in shown(resource) {
                let subject = Subject::new(scope, resource, shown);
                if self.0.contains_key(&subject.fingerprint) {
                    continue;
                }
                let Some(found) = judge.standing(&subject, channel) else { continue };
                let known = Known::new(&subject, resource, world);
                // of several with the same role it is the one that ends first
                let first = fresh.entry(subject.fingerprint).or_insert_with(|| known.clone());
                if known.past.epoch < first.past.epoch {
                    *first = known;
                }
                open.push(found);
            }
        }
        (open, fresh)
    }
}

impl Known {
    fn new(subject: &Subject<'_>, resource: &Arc<Resource>, world: &World<'_>) -> Self {
        let (scope, certificate) = (Arc::clone(subject.scope), subject.certificate.clone());
        let (facts, epoch) = (facts::of(subject, world), certificate.not_after);
        let past = Past { facts, epoch, doubt: None, missing: None, told: BTreeMap::new() };
        Self { past, scope, resource: Arc::clone(resource), certificate }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            scope: &self.scope,
            resource: &self.resource,
            certificate: &self.certificate,
            fingerprint: self.past.facts.fingerprint,
        }
    }

    /// What became of it, if it is believed not to be there any more.
    fn gone(&self) -> Option<Gone> {
        self.past.missing.and_then(|missing| missing.confirmed)
    }

    /// Takes in what is known now.
    fn look(&mut self, world: &World<'_>) {
        let found = world.snapshot.scopes.get(&self.scope).and_then(|view| {
            let resource = view.resources.get(&self.past.facts.resource_id)?;
            let same_role = shown(resource).iter().filter(|shown| shown.role == self.certificate.role);
            Some((resource, same_role.min_by_key(|shown| shown.not_after)?))
        });
        match found {
            Some((resource, certificate)) => self.weigh(resource, certificate, world),
            None => self.miss(world),
        }
    }

    fn weigh(&mut self, resource: &Arc<Resource>, certificate: &Certificate, world: &World<'_>) {
        let read_at = resource.reading.as_ref().map_or(world.now, |reading| reading.at);
        let (epoch, doubt) = match believe(&self.past, certificate, read_at, world) {
            Belief::Certain(epoch) => (epoch, given_up(&self.past, certificate, epoch)),
            Belief::Doubted(doubt) => (self.past.epoch, Some(doubt)),
        };
        (self.past.epoch, self.past.doubt, self.past.missing) = (epoch, doubt, None);
        if doubt.is_none() {
            self.resource = Arc::clone(resource);
            self.certificate = Certificate { not_after: epoch, ..certificate.clone() };
            self.past.facts = facts::of(&self.subject(), world);
        }
    }

    fn miss(&mut self, world: &World<'_>) {
        let absence = Absence::of(&self.past.facts, world);
        let mut missing = gone::missed(self.past.missing, absence, world.now);
        // nobody has to be given time to take it in again: then it simply stands again
        if absence == Absence::NotWatched {
            missing.confirmed = Some(Gone::NotWatched);
        }
        self.past.missing = Some(missing);
    }
}

/// The certificates of a resource whose TLS is on.
fn shown(resource: &Resource) -> &[Certificate] {
    match &resource.reading {
        Some(reading) if reading.state == TlsState::Enabled => &reading.certificates,
        _ => &[],
    }
}

/// What ended between two states, and what ended a moment before and is still told.
fn ended(before: &State, open: &[Open], believed: &Believed, world: &World<'_>) -> Vec<Ended> {
    let still = before.ended.iter().filter(|ended| world.now - ended.at < TELL_ENDED);
    let mut ended: Vec<Ended> = still.cloned().collect();
    let standing: HashMap<_, _> = open.iter().filter_map(certificate).collect();
    let keys: HashSet<Key> = open.iter().map(key).collect();
    let over = before.open.iter().filter(|was| !keys.contains(&key(was)));
    ended.extend(over.map(|was| {
        let how = how(was, &standing, believed, world);
        Ended { was: was.clone(), at: world.now, how }
    }));
    // what is wrong again has not ended
    ended.retain(|ended| !keys.contains(&key(&ended.was)));
    ended
}

fn how(was: &Open, standing: &HashMap<Fingerprint, Stage>, believed: &Believed, world: &World<'_>) -> How {
    let facts = match &was.item {
        Item::Source(source) if sources::is_watched(source, world) => return How::Readable,
        Item::Certificate(item) => &item.facts,
        Item::Source(_) | Item::Channel(_) | Item::Renewal(_) => return How::NotWatched,
    };
    let known = believed.0.get(&facts.fingerprint);
    let Some(known) = known.filter(|known| known.gone().is_none()) else {
        return How::Gone(known.and_then(Known::gone).unwrap_or(Gone::NotListed));
    };
    let now = Box::new(facts::of(&known.subject(), world));
    if now.not_after <= facts.not_after {
        return How::Otherwise { now };
    }
    let ours = (world.renewal)(&facts.provider, facts.fingerprint).ours;
    let by = if ours == Some(now.not_after) { By::Notafter } else { By::External };
    let stage = standing.get(&facts.fingerprint).copied().unwrap_or(Stage::Ok);
    How::Renewed { now, stage, by }
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

/// A certificate that stands, and its stage.
fn certificate(open: &Open) -> Option<(Fingerprint, Stage)> {
    let Item::Certificate(item) = &open.item else { return None };
    Some((item.facts.fingerprint, stage_of(open)?))
}
