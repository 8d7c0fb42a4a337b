//! A certificate that is not in the snapshot: what became of it, and what can be said of it, which is only what was
//! remembered.

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::World;
use super::memory::Missing;
use super::message::{CertificateFacts, Gone, Severity};
use super::silence::About;
use crate::domain::finding::Stage;
use crate::domain::matcher::{Label, Matcher};
use crate::domain::resource::TlsState;

/// What is in a scope that is not watched any more counts as gone after this: whoever took it out by mistake has time.
const FORGET_AFTER: TimeDelta = TimeDelta::days(3);

/// Why a certificate is not in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// An answer did not have it; when that came.
    Answered(Gone, DateTime<Utc>),
    /// Nobody can tell.
    Unknown,
    /// Its scope is not watched.
    NotWatched,
}

impl Absence {
    /// Of a certificate that was looked for in vain.
    pub(super) fn of(facts: &CertificateFacts, world: &World<'_>) -> Self {
        let Some(view) = world.snapshot.scopes.get(&facts.scope()) else { return Self::NotWatched };
        let Some(resource) = view.resources.get(&facts.resource_id) else {
            return view.listed_at.map_or(Self::Unknown, |at| Self::Answered(Gone::NotListed, at));
        };
        match resource.reading.as_ref() {
            Some(reading) if reading.state == TlsState::Enabled && !reading.certificates.is_empty() => {
                Self::Answered(Gone::NotShown, reading.at)
            }
            Some(reading) if [TlsState::Disabled, TlsState::Unsupported].contains(&reading.state) => {
                Self::Answered(Gone::TlsOff, reading.at)
            }
            _ => Self::Unknown,
        }
    }
}

/// What is known after one more look in vain: a second answer confirms the first.
pub(super) fn missed(before: Option<Missing>, absence: Absence, now: DateTime<Utc>) -> Missing {
    let mut missing = before.unwrap_or(Missing { since: now, answered_at: None, confirmed: None });
    match absence {
        Absence::Answered(how, at) => match missing.answered_at {
            Some(first) if at > first => missing.confirmed = Some(how),
            Some(_) => {}
            None => missing.answered_at = Some(at),
        },
        Absence::NotWatched if now - missing.since > FORGET_AFTER => {
            missing.confirmed = Some(Gone::NotWatched);
        }
        Absence::Unknown | Absence::NotWatched => {}
    }
    missing
}

/// Whether a person wants to hear nothing of it, and so not that it is gone either. An expression that asks for what is
/// not known any more (tags) holds nothing back. As with other news, what was told as expired passes unless the silence
/// includes that, and an acknowledgement is about the end of a certificate only.
pub(super) fn is_silenced(facts: &CertificateFacts, told: Stage, world: &World<'_>) -> bool {
    let active = world.silences.iter().filter(|silence| silence.is_active(world.now));
    let mut reaching = active.filter(|silence| told < Stage::Expired || silence.include_expired);
    reaching.any(|silence| match &silence.about {
        About::Matching(matcher) => means(matcher, facts, told, world),
        About::Acknowledged { .. } => false,
    })
}

fn means(matcher: &Matcher, facts: &CertificateFacts, told: Stage, world: &World<'_>) -> bool {
    let forgotten = |label: &Label| matches!(label, Label::Tag(_) | Label::InUse);
    if matcher.labels().any(forgotten) {
        return false;
    }
    let account = world.accounts.get(&facts.account);
    matcher.matches(&|label| match label {
        Label::CloudProvider => Some(&facts.provider),
        Label::CloudAccount => Some(&facts.account),
        Label::CloudProject => Some(&facts.project),
        Label::CloudRegion => Some(&facts.region),
        Label::CloudService => Some(&facts.service),
        Label::ResourceId => Some(&facts.resource_id),
        Label::ResourceName => Some(&facts.resource_name),
        Label::CertRole => Some(&facts.role),
        Label::AccountLabel(key) => account?.labels.get(key).map(|value| &**value),
        Label::Severity => Some(Severity::of(told).as_str()),
        Label::Stage => Some(told.as_str()),
        Label::Type => Some("certificate.gone"),
        Label::Tag(_) | Label::InUse => None,
    })
}
