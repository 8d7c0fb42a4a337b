//! One resource: may it be renewed now, and if not, why not. Reasons that need a person come before those that pass.

use chrono::{DateTime, Utc};

use super::attempt::{Approval, Attempt, By, NEED, ResourceKey, State};
use super::book::{Book, latest_word};
use super::knowledge::known_host;
use super::method::{Begins, Call, Capability, Condition, Detail, Method};
use super::plan::{Announcement, Decision, Question, Seat, Step, Target, World};
use super::refusal::Refusal;
use crate::domain::alert::silence::{About, Silence};
use crate::domain::described::Described;
use crate::domain::matcher::{Known, Label};
use crate::domain::policy::{RenewalMode, RenewalRule};
use crate::domain::resource::{Certificate, ManagedBy, TlsState};

/// Why nothing is begun.
pub(super) struct Stop {
    pub(super) why: Refusal,
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) detail: Box<str>,
}

impl Stop {
    pub(super) fn until(why: Refusal, until: DateTime<Utc>) -> Self {
        Self { why, until: Some(until), detail: Box::default() }
    }

    pub(super) fn with(why: Refusal, detail: impl Into<Box<str>>) -> Self {
        Self { why, until: None, detail: detail.into() }
    }
}

impl From<Refusal> for Stop {
    fn from(why: Refusal) -> Self {
        Self { why, until: None, detail: Box::default() }
    }
}

impl From<Stop> for Decision {
    fn from(Stop { why, until, detail }: Stop) -> Self {
        if why.passes() { Self::Wait { why, until, detail } } else { Self::Refuse { why, detail } }
    }
}

/// What may be renewed in principle.
pub(super) struct Subject<'w> {
    pub(super) key: ResourceKey,
    pub(super) seat: Seat<'w>,
    pub(super) certificate: &'w Certificate,
    pub(super) method: &'static Method,
    pub(super) rule: &'w RenewalRule,
    pub(super) attempt: Option<&'w Attempt>,
    pub(super) detail: Option<&'w Detail>,
}

impl Subject<'_> {
    /// The call as it would be made, as far as it is known.
    fn call(&self, begins: Begins) -> Call {
        let material = self.rule.certificate.as_ref();
        self.method.call(&self.key.resource_id, known_host(self), material, begins)
    }
}

/// Judges one resource after the other, and collects what else is to be done.
pub(super) struct Judge<'w> {
    pub(super) world: &'w World<'w>,
    pub(super) book: Book<'w>,
    pub(super) announce: Vec<Announcement>,
    pub(super) ask: Vec<Question>,
    pub(super) look: Vec<ResourceKey>,
}

impl<'w> Judge<'w> {
    pub(super) fn new(world: &'w World<'w>, book: Book<'w>) -> Self {
        Self { world, book, announce: Vec::new(), ask: Vec::new(), look: Vec::new() }
    }

    /// What is to be done about a resource.
    pub(super) fn step(&mut self, key: ResourceKey, seat: Seat<'w>) -> Step {
        let mut step = Step {
            resource: key.clone(),
            name: seat.resource.facts.name.clone(),
            certificate: seat.target(),
            rule: None,
            call: None,
            planned: None,
            decision: Decision::Refuse { why: Refusal::NotRead, detail: Box::default() },
        };
        let decided = self.subject(key, seat, &mut step).and_then(|subject| {
            step.call = Some(subject.call(Begins::AtOnce));
            let decided = self.decide(&subject, &mut step);
            self.tell(&subject, &step, decided.is_ok());
            decided
        });
        step.decision = decided.unwrap_or_else(Decision::from);
        step
    }

    fn decide(&mut self, subject: &Subject<'w>, step: &mut Step) -> Result<Decision, Stop> {
        self.people(subject)?;
        self.condition(subject)?;
        let (begins, window) = self.timing(subject, step)?;
        // what cannot begin anyway is not read for it
        if let Some(limit) = self.book.limit(&subject.seat.scope.account) {
            return Err(limit.into());
        }
        self.fresh(subject)?;
        self.neighbours(subject)?;
        if self.world.policy.mode == RenewalMode::Plan {
            return Err(Refusal::ModePlan.into());
        }
        let attempt = subject.attempt.ok_or(Refusal::NotAnnounced)?;
        self.book.begin(&subject.seat);
        let call = subject.call(begins);
        step.call = Some(call.clone());
        let expected_by = match begins {
            Begins::AtOnce => self.world.now + NEED,
            Begins::InCloudWindow => window.end + NEED,
        };
        let stored = attempt.stored(&subject.rule.matcher.to_string(), expected_by, self.world.now);
        let failed_before = subject.detail.and_then(|detail| detail.failed.clone());
        let stored = Attempt { planned: Some(window), failed_before, ..stored };
        Ok(Decision::Renew { call: Box::new(call), attempt: Box::new(stored) })
    }

    /// Whether there is something to renew, a way to do so, and a rule that allows it.
    fn subject(&self, key: ResourceKey, seat: Seat<'w>, step: &mut Step) -> Result<Subject<'w>, Stop> {
        let method = self.method(&seat)?;
        let certificate = shown(&seat).ok_or(Refusal::NotRead)?;
        if certificate.dates_disagree() == Some(true) {
            return Err(Refusal::DatesDisagree.into());
        }
        if self.world.policy.mode == RenewalMode::Off {
            return Err(Refusal::ModeOff.into());
        }
        let (number, rule) = self.rule(&seat).ok_or(Refusal::NotAllowed)?;
        step.rule = Some(number);
        if tags_are_uncertain(&seat) && self.world.policy.allow[..=number].iter().any(asks_for_tags) {
            return Err(Refusal::TagsUnknown.into());
        }
        let attempt = self.book.current(&key, certificate.not_after);
        let detail = self.world.details.get(&key);
        let subject = Subject { key, seat, certificate, method, rule, attempt, detail };
        owner(&subject)?;
        Ok(subject)
    }

    fn method(&self, seat: &Seat<'_>) -> Result<&'static Method, Stop> {
        match seat.resource.state() {
            TlsState::Unsupported => return Err(Refusal::Unsupported.into()),
            TlsState::Disabled => return Err(Refusal::TlsOff.into()),
            TlsState::Enabled | TlsState::Unknown => {}
        }
        match (self.world.capability)(seat.scope, seat.resource) {
            Capability::NoApi => Err(Refusal::NoApi.into()),
            Capability::UnknownEngine => {
                Err(Stop::with(Refusal::UnknownEngine, &*seat.resource.facts.engine))
            }
            Capability::Call(method) => Ok(method),
        }
    }

    /// The first rule that means what clients are shown.
    fn rule(&self, seat: &Seat<'_>) -> Option<(usize, &'w RenewalRule)> {
        let means = |described: &Described<'_>, rule: &RenewalRule| described.is(&rule.matcher);
        self.described(seat, |described| {
            self.world.policy.allow.iter().enumerate().find(|(_, rule)| means(described, rule))
        })
    }

    fn described<T>(&self, seat: &Seat<'_>, ask: impl FnOnce(&Described<'_>) -> T) -> T {
        let words = self.world.accounts.get(&*seat.scope.account);
        let label = |key: &str| words.and_then(|words| words.labels.get(key)).map(|value| &**value);
        let described = Described::new(seat.scope, seat.resource, &label);
        ask(&Described { role: seat.target().map(|target| target.role), ..described })
    }

    /// What people, or earlier attempts, have to say.
    fn people(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        let end = subject.certificate.not_after;
        if let Some(Attempt { state: State::Rejected { person }, .. }) = subject.attempt {
            return Err(Stop::with(Refusal::Rejected, format!("by {person}")));
        }
        if let Some(sent) = self.book.sent(&subject.key, end) {
            let wanted = subject.attempt.filter(|attempt| {
                !attempt.state.was_sent() && attempt.by != By::Rule && attempt.number > sent.number
            });
            let approved = wanted.and_then(|attempt| self.approval(attempt));
            if approved.is_none_or(|approval| approval.at <= sent.changed_at) {
                return Err(Stop::with(Refusal::AlreadyTried, sent.state.as_str()));
            }
        }
        if subject.detail.is_some_and(|detail| detail.rotation == Some(true)) {
            return Err(Refusal::CloudRotation.into());
        }
        if let Some(silence) = self.silence(subject) {
            let detail = format!("{} by {}", silence.id, silence.author).into();
            return Err(Stop { why: Refusal::Silenced, until: Some(silence.ends_at), detail });
        }
        let Some(stopped_at) = self.book.stopped_at() else { return Ok(()) };
        let approval = subject.attempt.and_then(|attempt| self.approval(attempt));
        match approval {
            Some(approval) if approval.at > stopped_at => Ok(()),
            _ => Err(Refusal::StoppedAfterFailures.into()),
        }
    }

    /// A yes of a person that counts still.
    pub(super) fn approval<'s>(&self, attempt: &'s Attempt) -> Option<&'s Approval> {
        let now = self.world.now;
        attempt.approval.as_ref().filter(|approval| approval.at <= now && now < approval.until)
    }

    fn silence(&self, subject: &Subject<'_>) -> Option<&'w Silence> {
        let now = self.world.now;
        let active = |silence: &&Silence| silence.starts_at <= now && now < silence.ends_at;
        self.world.silences.iter().filter(active).find(|silence| match &silence.about {
            About::Acknowledged { fingerprint, .. } => *fingerprint == subject.key.fingerprint(),
            About::Matching(matcher) => self.described(&subject.seat, |described| {
                matcher.may_match(&|label| match label {
                    Label::Severity | Label::Stage | Label::Type => Known::NotYet,
                    Label::Tag(_) if tags_are_uncertain(&subject.seat) => Known::NotYet,
                    other => Known::Value(described.value(other)),
                })
            }),
        })
    }

    /// What is wrong with the instance and will not pass.
    fn condition(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        if subject.seat.resource.facts.locked {
            return Err(Refusal::Locked.into());
        }
        let word = latest_word(self.world, &subject.seat);
        match subject.method.condition(word) {
            Condition::NotRunning => Err(Stop::with(Refusal::NotRunning, word)),
            Condition::Ready | Condition::Changing | Condition::ChangingTls => Ok(()),
        }
    }
}

/// The last listing did not tell the tags of everything in the scope: what is known of them may be old, or nothing.
fn tags_are_uncertain(seat: &Seat<'_>) -> bool {
    seat.view.tags_told_at.is_none() || seat.view.tags_told_at < seat.view.listed_at
}

fn asks_for_tags(rule: &RenewalRule) -> bool {
    rule.matcher.labels().any(|label| matches!(label, Label::Tag(_)))
}

/// Whose certificate it is, and whether there is one to give it.
fn owner(subject: &Subject<'_>) -> Result<(), Stop> {
    let managed_by = subject.seat.resource.reading.as_ref().and_then(|reading| reading.managed_by);
    let can_be_own = subject.method.own.is_some();
    match (managed_by, subject.rule.certificate.is_some()) {
        (Some(ManagedBy::Customer), false) => Err(Refusal::OwnCertificateMissing.into()),
        (Some(ManagedBy::Customer), true) if can_be_own => Ok(()),
        (Some(ManagedBy::Customer), true) => Err(Refusal::OwnerUncertain.into()),
        (None, _) if can_be_own => Err(Refusal::OwnerUncertain.into()),
        (_, true) => Err(Refusal::OwnCertificateUnwanted.into()),
        (_, false) => Ok(()),
    }
}

fn shown<'w>(seat: &Seat<'w>) -> Option<&'w Certificate> {
    let Target { role, not_after } = seat.target()?;
    let certificates = seat.resource.certificates().iter();
    certificates.into_iter().find(|found| found.role == role && found.not_after == not_after)
}
