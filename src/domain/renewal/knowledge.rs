//! Whether enough is known of one resource, of now, to begin.

use chrono::TimeDelta;

use super::book::condition;
use super::judge::{Judge, Stop, Subject};
use super::method::{Condition, Material};
use super::refusal::Refusal;
use crate::domain::policy::Window;
use crate::domain::resource::{DateSource, SAME_END};

/// Nothing is begun on older knowledge.
const FRESH: TimeDelta = TimeDelta::hours(1);

impl Judge<'_> {
    /// What is known is of now, and enough of it is.
    pub(super) fn fresh(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        let limit = self.world.now - FRESH;
        let read_at = subject.seat.resource.reading.as_ref().map(|reading| reading.at);
        let detail_at = subject.detail.map(|detail| detail.at);
        let status_at = subject.seat.view.listed_at.max(detail_at);
        let needs_detail = (subject.method.host.is_some() && known_host(subject).is_none())
            || subject.rule.certificate.is_some()
            || subject.rule.window == Window::Cloud;
        let ages = [Some(read_at), Some(status_at), needs_detail.then_some(detail_at)];
        if ages.into_iter().flatten().any(|at| at.is_none_or(|at| at < limit)) {
            return Err(self.look_again(subject));
        }
        if subject.method.host.is_some() && known_host(subject).is_none() {
            return Err(Refusal::HostUncertain.into());
        }
        self.material(subject)
    }

    fn material(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        if subject.rule.certificate.is_none() {
            return Ok(());
        }
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
        Refusal::StaleReading.into()
    }

    /// Whether it, or one that belongs to it, is being changed.
    pub(super) fn neighbours(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        match condition(self.world, &subject.seat, subject.method) {
            Condition::ChangingTls => return Err(Refusal::UnderWayElsewhere.into()),
            Condition::Changing => return Err(Refusal::Changing.into()),
            Condition::Ready | Condition::NotRunning => {}
        }
        let busy = self.book.busy_member(&subject.seat);
        busy.map_or(Ok(()), |member| Err(Stop::with(Refusal::GroupBusy, member)))
    }
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
