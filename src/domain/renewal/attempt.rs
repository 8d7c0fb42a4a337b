//! One renewal of one certificate: what was announced, approved, sent, and what became of it. The store keeps it as JSON.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::method::Condition;
use super::window::Span;
use crate::domain::alert::facts::fingerprint;
use crate::domain::alert::message::Fingerprint;
use crate::domain::hash::stable_hash;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::resource::SAME_END;

/// How long a renewal may take. Nowhere documented; longer than what the vendors' own tools wait for.
pub const NEED: TimeDelta = TimeDelta::minutes(40);
/// Nobody waits longer for an order that should have been over, whatever can be read of it or not.
const GIVE_UP: TimeDelta = TimeDelta::hours(6);
/// Before this much time has passed, "failed" may be the word for an earlier change.
const OLD_WORD: TimeDelta = TimeDelta::minutes(10);

/// A resource, by the values of its identity labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    /// Code of the cloud.
    pub provider: Box<str>,
    /// Name of the account.
    pub account: Box<str>,
    /// The cloud's id of the project, or empty.
    pub project: Box<str>,
    /// The cloud's id of the region.
    pub region: Box<str>,
    /// Product of the cloud.
    pub service: Box<str>,
    /// The cloud's id.
    pub resource_id: Box<str>,
}

impl ResourceKey {
    /// A resource of a scope.
    pub fn new(scope: &Scope, resource_id: &str) -> Self {
        let [provider, account, project, region, service] = scope.labels().map(|(_, value)| value.into());
        Self { provider, account, project, region, service, resource_id: resource_id.into() }
    }

    /// The same for every account that sees it, and after an account was renamed: what the cloud knows it by.
    #[must_use]
    pub fn place(&self) -> Self {
        Self { account: Box::default(), ..self.clone() }
    }

    /// Where it is.
    pub fn scope(&self) -> Scope {
        let Self { provider, account, project, region, service, .. } = self;
        let [provider, account, project, region, service] =
            [provider, account, project, region, service].map(|value| (&**value).into());
        Scope { provider, account, project, region, service }
    }

    /// The identity of the certificate that it shows to clients, as alerts know it.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.scope(), &self.resource_id, CertRole::Server)
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.scope(), self.resource_id)
    }
}

/// What a renewal is for: this end of this resource's certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptKey {
    /// Whose certificate.
    pub resource: ResourceKey,
    /// The end that it is to take away.
    pub not_after: DateTime<Utc>,
}

impl AttemptKey {
    /// The id of its attempt with this number, made already or not: the same wherever it is asked for.
    pub fn id(&self, number: u32) -> Box<str> {
        let ResourceKey { provider, account, project, region, service, resource_id } = &self.resource;
        let (end, number) = (self.not_after.timestamp().to_string(), number.to_string());
        let parts = [provider, account, project, region, service, resource_id, &*end, &*number];
        format!("ren_{:016x}", stable_hash(parts)).into()
    }
}

/// One renewal. Unique are its id, and key and number together; a second number exists only where a person wanted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// `ren_` and a hash of key and number.
    pub id: Box<str>,
    /// What it is for.
    #[serde(flatten)]
    pub key: AttemptKey,
    /// From 1.
    pub number: u32,
    /// Who wants it.
    pub by: By,
    /// The expression of the rule that allowed it.
    pub rule: Box<str>,
    /// When it was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<DateTime<Utc>>,
    /// The window that was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Span>,
    /// A window that was announced passed without a call; its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<DateTime<Utc>>,
    /// What a person said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// When it was written down to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<DateTime<Utc>>,
    /// What the cloud said of an earlier change, before this one: it may go on saying so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_before: Option<Box<str>>,
    /// When it should be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_by: Option<DateTime<Utc>>,
    /// People were told that the call could not be made yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// The channels for which the news of its success was written down, so that alerts do not repeat it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Box<str>>,
    /// How far it is.
    #[serde(flatten)]
    pub state: State,
    /// Since when.
    pub changed_at: DateTime<Utc>,
}

/// Who wants a renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum By {
    /// The rule that allows it.
    Rule,
    /// A person.
    Person {
        /// Who.
        name: Box<str>,
    },
}

/// A person's yes. It counts for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Box<str>,
    /// When.
    pub at: DateTime<Utc>,
    /// It counts until then.
    pub until: DateTime<Utc>,
    /// Not only in the window: at once. Blackout dates and limits hold all the same.
    #[serde(default)]
    pub at_once: bool,
}

/// How far a renewal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// People were told that it is planned.
    Announced,
    /// A person said yes.
    Approved,
    /// A person said no.
    Rejected {
        /// Who.
        person: Box<str>,
    },
    /// Written down; the call is about to be made, or was made and its answer lost.
    Stored,
    /// The call was not made, for sure: nothing left this machine.
    NotSent {
        /// Why.
        text: Box<str>,
    },
    /// The cloud took the order.
    Accepted {
        /// Its number for it.
        request_id: Box<str>,
    },
    /// A later end was read.
    Confirmed {
        /// That end.
        new_not_after: DateTime<Utc>,
    },
    /// Accepted, over, and the end is the old one.
    WithoutEffect,
    /// Accepted, and the cloud said later that it failed.
    FailedLater {
        /// The cloud's words.
        text: Box<str>,
    },
    /// The cloud did not take the order.
    Refused {
        /// What that means.
        class: Class,
        /// The cloud's code.
        code: Box<str>,
        /// Its number for it.
        request_id: Box<str>,
    },
    /// No answer came, and nothing happened in the time that it may take.
    Unknown,
}

/// What a refusal of the cloud means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It passes; a person may let it be tried again.
    Retry,
    /// A person has to do something first.
    Person,
    /// This will never be taken.
    Permanent,
}

/// What was read after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The instance is there.
    Read {
        /// When the answers came; both of them after the call.
        at: DateTime<Utc>,
        /// Its condition.
        condition: Condition,
        /// The end of its certificate; `None` if that could not be read.
        not_after: Option<DateTime<Utc>>,
        /// The cloud's word that the last change failed.
        failed: Option<Box<str>>,
    },
    /// The instance is not there any more.
    Gone,
}

impl State {
    /// The word in the API and in the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Approved => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Stored => "stored",
            Self::NotSent { .. } => "not_sent",
            Self::Accepted { .. } => "accepted",
            Self::Confirmed { .. } => "confirmed",
            Self::WithoutEffect => "without_effect",
            Self::FailedLater { .. } => "failed_later",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// The cloud may be at it, so that only reading is allowed.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Stored | Self::Accepted { .. })
    }

    /// The call may have reached the cloud.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::Announced | Self::Approved | Self::Rejected { .. } | Self::NotSent { .. })
    }

    /// Nothing was sent, and nobody said no.
    pub fn is_undecided(&self) -> bool {
        matches!(self, Self::Announced | Self::Approved | Self::NotSent { .. })
    }

    /// It is over, and did not end well.
    pub fn has_failed(&self) -> bool {
        self.was_sent() && !self.is_open() && !matches!(self, Self::Confirmed { .. })
    }
}

impl Attempt {
    /// An attempt that nobody has been told of yet.
    pub fn new(
        key: AttemptKey,
        number: u32,
        by: By,
        rule: &str,
        planned: Option<Span>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: key.id(number),
            key,
            number,
            by,
            rule: rule.into(),
            announced_at: Some(now),
            planned,
            missed_at: None,
            approval: None,
            stored_at: None,
            failed_before: None,
            expected_by: None,
            held: false,
            told: Vec::new(),
            state: State::Announced,
            changed_at: now,
        }
    }

    /// On whose word it is made: that of the person who wants it at once, else of who wanted it in the first place.
    pub fn wanted_by(&self) -> &str {
        let at_once = self.approval.as_ref().filter(|approval| approval.at_once);
        at_once.map_or_else(|| self.by.name(), |approval| &approval.by)
    }

    /// As it is written down before the call.
    #[must_use]
    pub fn stored(&self, rule: &str, expected_by: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            rule: rule.into(),
            stored_at: Some(now),
            expected_by: Some(expected_by),
            state: State::Stored,
            changed_at: now,
            ..self.clone()
        }
    }

    /// When the call was made, if it may have reached the cloud.
    pub fn sent_at(&self) -> Option<DateTime<Utc>> {
        self.stored_at.filter(|_| self.state.was_sent())
    }

    /// It is under way for longer than it should take.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.state.is_open() && self.expected_by.is_some_and(|by| by <= now)
    }

    /// It should have been over so long ago that it is not waited for any more: a person has to look.
    pub fn given_up(&self, now: DateTime<Utc>) -> Option<State> {
        let waited = self.state.is_open() && self.expected_by.is_none_or(|by| by + GIVE_UP <= now);
        waited.then_some(State::Unknown)
    }

    /// What became of it, by what was read since. `None`: nothing is decided yet, read again. Confirmed is only a later
    /// end; an order whose answer was lost and that did nothing is never sent again, it is unknown.
    pub fn settled(&self, seen: &Seen, now: DateTime<Utc>) -> Option<State> {
        self.read_to_be(seen, now).or_else(|| self.given_up(now))
    }

    fn read_to_be(&self, seen: &Seen, now: DateTime<Utc>) -> Option<State> {
        let stored_at = self.stored_at.filter(|_| self.state.is_open())?;
        let overdue = self.is_overdue(now);
        let Seen::Read { at, condition, not_after, failed } = seen else {
            return overdue.then_some(State::Unknown);
        };
        if *at <= stored_at {
            return None;
        }
        let ready = *condition == Condition::Ready;
        let later = not_after.filter(|end| *end >= self.key.not_after + SAME_END);
        if let Some(new_not_after) = later.filter(|_| ready || overdue) {
            return Some(State::Confirmed { new_not_after });
        }
        if !ready || not_after.is_none() {
            return None;
        }
        match (&self.state, failed) {
            (State::Accepted { .. }, Some(text))
                if *at >= stored_at + OLD_WORD && self.failed_before.is_none() =>
            {
                Some(State::FailedLater { text: text.clone() })
            }
            (State::Accepted { .. }, _) if overdue => Some(State::WithoutEffect),
            _ if overdue => Some(State::Unknown),
            _ => None,
        }
    }
}
