//! The plan: what is to be done about every resource, in order.
//!
//! Pure: the same world gives the same plan. The caller carries it out, writes attempts down before it acts, and plans again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::attempt::{Attempt, ResourceKey, State};
use super::book::Book;
use super::judge::Judge;
use super::method::{Call, Capability, Detail};
use super::refusal::Refusal;
use super::window::Span;
use crate::domain::alert::decide::AccountWords;
use crate::domain::alert::silence::Silence;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::policy::RenewalPolicy;
use crate::domain::resource::Resource;
use crate::domain::snapshot::{ScopeView, Snapshot};

/// Everything that a plan looks at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What is known.
    pub snapshot: &'a Snapshot,
    /// What may be renewed, and how carefully.
    pub policy: &'a RenewalPolicy,
    /// What the configuration says of accounts, by name.
    pub accounts: &'a BTreeMap<Box<str>, AccountWords>,
    /// How a resource would be renewed.
    pub capability: &'a (dyn Fn(&Scope, &Resource) -> Capability + Sync),
    /// What was read beside the looks; see [`Plan::look`].
    pub details: &'a BTreeMap<ResourceKey, Detail>,
    /// Why the last reading for a renewal failed, where it did.
    pub troubles: &'a BTreeMap<ResourceKey, Box<str>>,
    /// When people hear of what would be announced now, where that is later than now: channels have quiet hours.
    pub heard: &'a BTreeMap<ResourceKey, DateTime<Utc>>,
    /// Every attempt so far that concerns a certificate of today, was begun in the last day, is open, or failed since one
    /// was confirmed.
    pub attempts: &'a [Attempt],
    /// What people do not want to hear: somebody is at it, or wants it left alone.
    pub silences: &'a [Silence],
    /// The zone in which the operator means dates, where no window names one.
    pub zone: Tz,
    /// The moment of the plan.
    pub now: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// One for each resource, and for each attempt that is under way: those first, then what begins now, what waits, what
    /// is refused; within that, what ends first.
    pub steps: Vec<Step>,
    /// To be told and written down, in place of an attempt with the same id.
    pub announce: Vec<Announcement>,
    /// Who has to be asked.
    pub ask: Vec<Question>,
    /// To be read again before anything is begun: the listing of its scope, a look, and [`Detail`].
    pub look: Vec<ResourceKey>,
}

/// What is to be done about one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whose certificate.
    pub resource: ResourceKey,
    /// Display name; foreign text.
    pub name: Box<str>,
    /// The certificate.
    pub certificate: Option<Target>,
    /// The rule that allows it, by its place in the configuration.
    pub rule: Option<usize>,
    /// The call as it would be made.
    pub call: Option<Call>,
    /// The window that it is meant for.
    pub planned: Option<Span>,
    /// What is to be done.
    pub decision: Decision,
}

/// A certificate that a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What it is to those who connect.
    pub role: CertRole,
    /// Its end.
    pub not_after: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Read what became of a call. Nothing is sent.
    Resume {
        /// Which attempt.
        attempt: Box<Attempt>,
        /// What is to be read.
        read: Read,
        /// It takes longer than it should.
        overdue: bool,
    },
    /// Write the attempt down, then make the call, once.
    Renew {
        /// The call.
        call: Box<Call>,
        /// As it is to be written down before the call.
        attempt: Box<Attempt>,
    },
    /// Not now.
    Wait {
        /// Why.
        why: Refusal,
        /// Until then at least, where that is known.
        until: Option<DateTime<Utc>>,
        /// More of it, or empty.
        detail: Box<str>,
    },
    /// Not without a person.
    Refuse {
        /// Why.
        why: Refusal,
        /// More of it, or empty.
        detail: Box<str>,
    },
}

/// What is to be read of an attempt that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Status and end: the answer was lost, or never came.
    Settle,
    /// The status until it is ready again, then the end.
    Progress,
}

/// A renewal that people are to be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// As it is to be written down.
    pub attempt: Attempt,
    /// What would be called.
    pub call: Call,
    /// It will only be made when a person approves.
    pub asks: bool,
    /// Who is named as its owner.
    pub owner: Option<Box<str>>,
}

/// An approval that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Of which attempt.
    pub attempt: Box<str>,
    /// Whose certificate.
    pub resource: ResourceKey,
    /// Its window.
    pub planned: Option<Span>,
    /// Who is named as its owner.
    pub owner: Option<Box<str>>,
}

impl Decision {
    /// Why nothing is begun.
    pub fn why(&self) -> Option<Refusal> {
        match self {
            Self::Wait { why, .. } | Self::Refuse { why, .. } => Some(*why),
            Self::Resume { .. } | Self::Renew { .. } => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Resume { .. } => 0,
            Self::Renew { .. } => 1,
            Self::Wait { .. } => 2,
            Self::Refuse { .. } => 3,
        }
    }
}

impl Step {
    fn order(&self) -> (u8, DateTime<Utc>, &ResourceKey) {
        let end = self.certificate.map_or(DateTime::<Utc>::MAX_UTC, |certificate| certificate.not_after);
        (self.decision.rank(), end, &self.resource)
    }
}

/// A resource and where it is.
#[derive(Clone, Copy)]
pub(super) struct Seat<'a> {
    pub(super) scope: &'a Arc<Scope>,
    pub(super) view: &'a ScopeView,
    pub(super) resource: &'a Resource,
}

impl Seat<'_> {
    /// Neither it nor its scope can be read at the moment: nothing is going to be begun on it unless that changes.
    pub(super) fn is_blind(&self) -> bool {
        self.view.failure().is_some() || self.resource.failure.is_some()
    }

    /// What clients are shown.
    pub(super) fn target(&self) -> Option<Target> {
        let shown = self.resource.certificates().iter().filter(|found| found.role == CertRole::Server);
        let first = shown.min_by_key(|certificate| certificate.not_after)?;
        Some(Target { role: first.role, not_after: first.not_after })
    }
}

/// Plans.
pub fn plan(world: &World<'_>) -> Plan {
    let mut seats: Vec<(ResourceKey, Seat<'_>)> = seats(world.snapshot).collect();
    // what ends first is served first, wherever it is; what cannot be read now takes no window from what can be
    seats.sort_by_cached_key(|(key, seat)| {
        let end = seat.target().map_or(DateTime::<Utc>::MAX_UTC, |target| target.not_after);
        (seat.is_blind(), end, key.clone())
    });
    let mut steps = resume(world);
    let mut judge = Judge::new(world, Book::new(world));
    let under_way: HashSet<ResourceKey> = steps.iter().map(|step| step.resource.clone()).collect();
    for (key, seat) in seats.into_iter().filter(|(key, _)| !under_way.contains(key)) {
        steps.push(judge.step(key, seat));
    }
    steps.sort_by(|a, b| a.order().cmp(&b.order()));
    let Judge { announce, ask, look, .. } = judge;
    Plan { steps, announce, ask, look }
}

pub(super) fn seats(snapshot: &Snapshot) -> impl Iterator<Item = (ResourceKey, Seat<'_>)> {
    snapshot.scopes.iter().flat_map(|(scope, view)| {
        let seat = move |resource| Seat { scope, view, resource };
        view.resources.iter().map(move |resource| (ResourceKey::new(scope, &resource.id), seat(&**resource)))
    })
}

/// What is under way is read, whether its resource is known or not.
fn resume(world: &World<'_>) -> Vec<Step> {
    let open = world.attempts.iter().filter(|attempt| attempt.state.is_open());
    let step = |attempt: &Attempt| {
        let read = if attempt.state == State::Stored { Read::Settle } else { Read::Progress };
        let overdue = attempt.is_overdue(world.now);
        Step {
            resource: seated(world.snapshot, world.accounts, &attempt.key.resource),
            name: name(world, &attempt.key.resource),
            certificate: Some(Target { role: CertRole::Server, not_after: attempt.key.not_after }),
            rule: None,
            call: None,
            planned: attempt.planned,
            decision: Decision::Resume { attempt: Box::new(attempt.clone()), read, overdue },
        }
    };
    open.map(step).collect()
}

/// By which account it can be read today: its own, or the one that sees it since that was renamed.
pub fn seated(
    snapshot: &Snapshot,
    accounts: &BTreeMap<Box<str>, AccountWords>,
    key: &ResourceKey,
) -> ResourceKey {
    let is_there = |scope: &Scope| {
        snapshot.scopes.get(scope).is_some_and(|view| view.resources.get(&key.resource_id).is_some())
    };
    if accounts.contains_key(&key.account) || is_there(&key.scope()) {
        return key.clone();
    }
    let same = |scope: &&Arc<Scope>| ResourceKey::new(scope, &key.resource_id).place() == key.place();
    let found = snapshot.scopes.keys().filter(same).find(|scope| is_there(scope));
    found.map_or_else(|| key.clone(), |scope| ResourceKey::new(scope, &key.resource_id))
}

/// Its display name, where it is known still.
fn name(world: &World<'_>, key: &ResourceKey) -> Box<str> {
    let key = seated(world.snapshot, world.accounts, key);
    let known = world.snapshot.scopes.get(&key.scope()).and_then(|view| view.resources.get(&key.resource_id));
    known.map(|resource| resource.facts.name.clone()).unwrap_or_default()
}
