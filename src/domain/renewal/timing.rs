//! When one resource is renewed: announced, approved, in a window that has room.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::attempt::{Attempt, By, NEED, State};
use super::judge::{Judge, Stop, Subject};
use super::method::Begins;
use super::plan::Step;
use super::refusal::Refusal;
use super::window::{Opening, Span, Standing, Timetable};
use crate::domain::policy::{RenewalMode, Window};

/// A call that did not leave this machine is made again after this.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// An order that the cloud keeps for its window is placed this long before it at most: while it is kept, others wait.
const HAND_OVER: TimeDelta = TimeDelta::hours(2);
/// So many windows are looked at for one that has room.
const WINDOWS: usize = 60;

impl<'w> Judge<'w> {
    /// Whether this is the time for it, and in which window.
    pub(super) fn timing(&mut self, subject: &Subject<'_>, step: &mut Step) -> Result<(Begins, Span), Stop> {
        let (now, policy) = (self.world.now, self.world.policy);
        self.wait_after_no_call(subject)?;
        if let Some(span) = self.at_once(subject)? {
            step.planned = Some(span);
            return Ok((Begins::AtOnce, span));
        }
        let end = subject.certificate.not_after;
        let due = end - length(policy.before);
        if now < due - length(policy.announce) {
            return Err(Stop::until(Refusal::TooEarly, due));
        }
        // nothing is announced that could not be done
        self.material(subject)?;
        let timetable = self.timetable(subject)?;
        let first = self.earliest(subject, due);
        let window = self.schedule(subject, &timetable, first)?;
        step.planned = Some(window);
        let begin = window.begin.max(first);
        let standing = timetable.standing(now, NEED);
        let open = match standing {
            Standing::Open(window) if first <= now && is_announced_for(subject, now) => Some(window),
            _ => None,
        };
        if open.is_none() && begin + NEED > end {
            return Err(Stop::until(Refusal::EndsBeforeWindow, begin));
        }
        if let Some(why) = self.not_yet(subject, due) {
            return Err(Stop::until(why, begin));
        }
        match open {
            Some(window) => Ok((Begins::AtOnce, window)),
            None if is_the_announced(subject, window) && self.can_hand_over(subject, &timetable, window) => {
                Ok((Begins::InCloudWindow, window))
            }
            None => Err(Stop::until(closed(standing), begin)),
        }
    }

    /// Who or what has to be waited for before any window counts.
    fn not_yet(&self, subject: &Subject<'_>, due: DateTime<Utc>) -> Option<Refusal> {
        let approval = || subject.attempt.and_then(|known| self.approval(known));
        match () {
            () if self.world.now < due => Some(Refusal::TooEarly),
            () if !self.is_announced(subject) => Some(Refusal::NotAnnounced),
            () if self.needs_approval(subject) && approval().is_none() => Some(Refusal::NotApproved),
            () => None,
        }
    }

    fn wait_after_no_call(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        match subject.attempt {
            Some(Attempt { state: State::NotSent { text }, changed_at, .. })
                if self.world.now < *changed_at + AGAIN =>
            {
                let until = Some(*changed_at + AGAIN);
                Err(Stop { why: Refusal::NotSentYet, until, detail: text.clone() })
            }
            _ => Ok(()),
        }
    }

    /// A person wants it at once: no window, but no blackout date either.
    fn at_once(&self, subject: &Subject<'_>) -> Result<Option<Span>, Stop> {
        let approval = subject.attempt.and_then(|attempt| self.approval(attempt));
        if !approval.is_some_and(|approval| approval.at_once) {
            return Ok(None);
        }
        let now = self.world.now;
        let zones = self.zones(&subject.rule.window);
        let day = |at: DateTime<Utc>, zone: &Tz| at.with_timezone(zone).date_naive();
        let both = [now, now + NEED];
        let black = |zone: &Tz| both.iter().any(|at| self.world.policy.blackout.contains(&day(*at, zone)));
        if zones.iter().any(black) {
            return Err(Refusal::Blackout.into());
        }
        Ok(Some(Span { begin: now, end: now + NEED }))
    }

    fn zones(&self, window: &Window) -> Vec<Tz> {
        match window {
            Window::Local { timezone, .. } => vec![*timezone],
            Window::Cloud => vec![self.world.zone, Tz::UTC],
        }
    }

    fn timetable(&mut self, subject: &Subject<'_>) -> Result<Timetable<'w>, Stop> {
        let opening = match &subject.rule.window {
            Window::Local { timezone, hours } => Opening::Local { zone: *timezone, hours: hours.clone() },
            Window::Cloud => {
                let Some(detail) = subject.detail else { return Err(self.look_again(subject)) };
                let reported = detail.window.as_deref().unwrap_or("");
                let opening = Opening::reported(reported);
                opening.ok_or_else(|| Stop::with(Refusal::CloudWindowUncertain, reported))?
            }
        };
        let zones = self.zones(&subject.rule.window);
        Ok(Timetable { opening, blackout: &self.world.policy.blackout, zones })
    }

    /// Not before it is due, and not before what people were told.
    fn earliest(&self, subject: &Subject<'_>, due: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.world.now;
        let announced = match subject.attempt {
            Some(attempt) if attempt.by != By::Rule => None,
            // a window that passed was announced for nothing: people are told anew, and have as long as before
            attempt => {
                let kept = attempt.filter(|attempt| !has_passed(attempt, now));
                let heard = || self.world.heard.get(&subject.key).map_or(now, |heard| now.max(*heard));
                let at = kept.and_then(|attempt| attempt.announced_at).unwrap_or_else(heard);
                Some(at + length(self.world.policy.announce))
            }
        };
        let planned = subject.attempt.and_then(|attempt| attempt.planned).map(|planned| planned.begin);
        [Some(now), Some(due), announced, planned].into_iter().flatten().max().unwrap_or(now)
    }

    /// The first window that has room, or the one that was announced.
    fn schedule(
        &mut self,
        subject: &Subject<'_>,
        timetable: &Timetable<'_>,
        first: DateTime<Utc>,
    ) -> Result<Span, Stop> {
        let account = &*subject.seat.scope.account;
        let announced = subject.attempt.and_then(|attempt| attempt.planned);
        let is_kept = |window: &Span| announced.is_some_and(|planned| planned.begin == window.begin);
        let mut last = None;
        for window in timetable.windows(first, NEED).take(WINDOWS) {
            if is_kept(&window) || (window.contains(self.world.now) && first <= self.world.now) {
                return Ok(window);
            }
            // what ends before keeps no place there
            if window.begin.max(first) + NEED > subject.certificate.not_after {
                return Ok(window);
            }
            if self.book.has_room(account, window) {
                self.book.reserve(account, window);
                return Ok(window);
            }
            last = Some(window.end);
        }
        Err(last.map_or_else(|| Refusal::NoWindow.into(), |last| Stop::until(Refusal::DayLimit, last)))
    }

    fn is_announced(&self, subject: &Subject<'_>) -> bool {
        let wait = length(self.world.policy.announce);
        subject.attempt.is_some_and(|attempt| match attempt.by {
            By::Person { .. } => true,
            By::Rule => {
                let now = self.world.now;
                !has_passed(attempt, now) && attempt.announced_at.is_some_and(|at| at + wait <= now)
            }
        })
    }

    pub(super) fn needs_approval(&self, subject: &Subject<'_>) -> bool {
        let by_hand = subject.attempt.is_some_and(|attempt| attempt.by != By::Rule);
        self.world.policy.mode == RenewalMode::Approve || by_hand
    }

    /// The cloud can wait for its window itself, and that window is near and no blackout cuts into it.
    fn can_hand_over(&self, subject: &Subject<'_>, timetable: &Timetable<'_>, window: Span) -> bool {
        let now = self.world.now;
        subject.method.deferring.is_some()
            && subject.rule.window == Window::Cloud
            && !timetable.is_blackout(now)
            && now < window.begin
            && window.begin - now <= HAND_OVER
            && timetable.is_whole(window)
            && timetable.windows(now, TimeDelta::zero()).next() == Some(window)
    }
}

/// The window that was announced is over.
fn has_passed(attempt: &Attempt, now: DateTime<Utc>) -> bool {
    attempt.planned.is_some_and(|planned| planned.end <= now)
}

/// What nobody ordered begins in the window that people were told of, and in no other.
fn is_announced_for(subject: &Subject<'_>, now: DateTime<Utc>) -> bool {
    let Some(attempt) = subject.attempt.filter(|attempt| attempt.by == By::Rule) else { return true };
    attempt.planned.is_none_or(|planned| planned.contains(now))
}

/// What the cloud is to keep for a window is meant for the one that people were told of.
fn is_the_announced(subject: &Subject<'_>, window: Span) -> bool {
    let Some(attempt) = subject.attempt.filter(|attempt| attempt.by == By::Rule) else { return true };
    attempt.planned.is_none_or(|planned| planned.begin == window.begin && planned.end == window.end)
}

/// Why it is not a window now.
fn closed(standing: Standing) -> Refusal {
    match standing {
        Standing::Blackout => Refusal::Blackout,
        Standing::Closing => Refusal::WindowTooShort,
        Standing::Open(_) | Standing::Closed => Refusal::OutsideWindow,
    }
}

fn length(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
