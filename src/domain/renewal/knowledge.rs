//! Whether enough is known of one resource, of now, to begin.

use chrono::{DateTime, TimeDelta, Utc};

use super::attempt::ResourceKey;
use super::book::condition;
use super::judge::{Judge, Stop, Subject};
use super::method::{Condition, Detail, Material};
use super::refusal::Refusal;
use crate::domain::policy::RenewalMode;
use crate::domain::resource::{DateSource, SAME_END};

/// Nothing is begun on older knowledge.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// And nothing without a reading that was made for it, just before: of the instance, and of all that belong to it.
const JUST_NOW: TimeDelta = TimeDelta::minutes(2);
/// A pair that does not fit is read again after this: whoever is about to put it right does not wait long.
const UNFIT: TimeDelta = TimeDelta::minutes(5);

impl Judge<'_> {
    /// What is known is of now, and enough of it is.
    pub(super) fn fresh(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        let read_at = subject.seat.resource.reading.as_ref().map(|reading| reading.at);
        let read = subject.detail.filter(|detail| self.is_of(Some(detail.at), self.just_now()));
        let listed = self.is_listed(subject);
        let Some(detail) = read.filter(|_| listed && self.is_of(read_at, FRESH)) else {
            return Err(self.look_again(subject));
        };
        if detail.locked == Some(true) {
            return Err(Refusal::Locked.into());
        }
        // what the listing said may be as old as the listing
        let Some(status) = detail.status.as_deref() else {
            return Err(self.look_again(subject));
        };
        match subject.method.condition(status) {
            Condition::Ready => {}
            Condition::ChangingTls => return Err(Refusal::UnderWayElsewhere.into()),
            Condition::Changing => return Err(Refusal::Changing.into()),
            Condition::NotRunning => return Err(Stop::with(Refusal::NotRunning, status)),
        }
        if changed_since(subject, detail) {
            return Err(self.look_again(subject));
        }
        if subject.method.host.is_some() && known_host(subject).is_none() {
            return Err(Refusal::HostUncertain.into());
        }
        self.material(subject)
    }

    /// Rules and silences mean what the listing said, and it has to be one that left out what is not to be watched.
    fn is_listed(&self, subject: &Subject<'_>) -> bool {
        let view = subject.seat.view;
        let words = self.world.accounts.get(&*subject.seat.scope.account);
        let filter = words.and_then(|words| words.filtered_by);
        self.is_of(view.listed_at, FRESH)
            && !view.is_shrinking()
            && filter.is_none_or(|filter| filter == view.filtered_by)
    }

    /// Where nothing follows from a plan, an older reading will do.
    fn just_now(&self) -> TimeDelta {
        if self.world.policy.mode == RenewalMode::Plan { FRESH } else { JUST_NOW }
    }

    /// Whether that moment was not longer ago; one that is still to come says nothing.
    fn is_of(&self, at: Option<DateTime<Utc>>, age: TimeDelta) -> bool {
        let now = self.world.now;
        at.is_some_and(|at| at <= now && now - at <= age)
    }

    /// A pair of the customer's, where the rule names one, can take the place of the present certificate.
    pub(super) fn material(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        if subject.rule.certificate.is_none() {
            return Ok(());
        }
        let judged = self.judge_material(subject);
        if judged.is_err() && !self.is_of(subject.detail.map(|detail| detail.at), UNFIT) {
            self.look.push(subject.key.clone());
        }
        judged
    }

    fn judge_material(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        match subject.detail.map(|detail| &detail.material) {
            Some(Material::Fit { not_after }) if *not_after >= subject.certificate.not_after + SAME_END => {
                Ok(())
            }
            Some(Material::Fit { .. }) => {
                Err(Stop::with(Refusal::OwnCertificateUnfit, "it does not end later"))
            }
            Some(Material::Unfit { why }) => Err(Stop::with(Refusal::OwnCertificateUnfit, why.clone())),
            Some(Material::Unread) | None => Err(self.look_again(subject)),
        }
    }

    pub(super) fn look_again(&mut self, subject: &Subject<'_>) -> Stop {
        self.look.push(subject.key.clone());
        let trouble = self.world.troubles.get(&subject.key);
        Stop::with(Refusal::StaleReading, trouble.cloned().unwrap_or_default())
    }

    /// Whether it, or one that belongs to it, is being changed.
    pub(super) fn neighbours(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        match condition(self.world, &subject.seat, subject.method) {
            Condition::ChangingTls => return Err(Refusal::UnderWayElsewhere.into()),
            Condition::Changing => return Err(Refusal::Changing.into()),
            Condition::Ready | Condition::NotRunning => {}
        }
        self.know_members(subject)?;
        let busy = self.book.busy_member(&subject.seat);
        busy.map_or(Ok(()), |member| Err(Stop::with(Refusal::GroupBusy, member)))
    }
}

impl Judge<'_> {
    /// What the others of its group do was read just now as well: the last listing may be older than a failover.
    fn know_members(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        let age = self.just_now();
        let word = |key: &ResourceKey| {
            let detail = self.world.details.get(key).filter(|detail| self.is_of(Some(detail.at), age));
            detail.and_then(|detail| detail.status.as_deref())
        };
        let others = || self.book.others(&subject.seat).iter().filter(|key| **key != subject.key);
        let unknown: Vec<ResourceKey> = others().filter(|key| word(key).is_none()).cloned().collect();
        if let Some(first) = unknown.first() {
            let stop = Stop::with(Refusal::StaleReading, &*first.resource_id);
            self.look.extend(unknown);
            return Err(stop);
        }
        // members of a group are of one engine
        let is_busy = |key: &&ResourceKey| {
            word(key).is_none_or(|word| subject.method.condition(word) != Condition::Ready)
        };
        others().find(is_busy).map_or(Ok(()), |key| Err(Stop::with(Refusal::GroupBusy, &*key.resource_id)))
    }
}

/// What was read for the renewal is not what was known: somebody else was there.
fn changed_since(subject: &Subject<'_>, detail: &Detail) -> bool {
    let known = subject.certificate.not_after;
    let other_end = detail.not_after.is_none_or(|end| (end - known).abs() >= SAME_END);
    let managed_by = subject.seat.resource.reading.as_ref().and_then(|reading| reading.managed_by);
    // where somebody may have brought one of their own, whose it is has to be said
    let is_said = detail.managed_by.is_some() || subject.method.own.is_none();
    other_end || !is_said || (detail.managed_by.is_some() && detail.managed_by != managed_by)
}

/// The protected host, where two readings do not contradict each other.
pub(super) fn known_host<'s>(subject: &'s Subject<'_>) -> Option<&'s str> {
    subject.method.host?;
    let certificate = subject.certificate;
    let shown = Some(&*certificate.subject.common_name)
        .filter(|name| certificate.source == DateSource::Api && !name.is_empty());
    let read = subject.detail.and_then(|detail| detail.host.as_deref()).filter(|host| !host.is_empty());
    match (shown, read) {
        (Some(shown), Some(read)) if !shown.eq_ignore_ascii_case(read) => None,
        (shown, read) => read.or(shown),
    }
}
