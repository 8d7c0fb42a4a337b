//! When lent keys are renewed, and how often that may be tried: decisions only. `now` is an argument, nothing waits.
//!
//! [`Lease`] is about wall time, because clouds write ends as dates; [`Tries`] is about the timeline, because it is
//! about how often something is done.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Renewed this long before the end, or a third of the life before it where that is less: a session of 15 minutes
/// would otherwise be renewed the moment it is had.
const AHEAD: TimeDelta = TimeDelta::minutes(15);
/// No cloud lends for more than a day and a half; a later end is a date that was misread.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// Wait after the first failure; doubles with each further one. As long as the account's gate waits, so that its first
/// probe finds a new answer.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Never more tries than this
const MOST: usize = 5;
/// in any span of this length, however they went.
const SPAN: Duration = Duration::from_mins(1);

/// How long keys are lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    renew: DateTime<Utc>,
    ends: DateTime<Utc>,
}

/// What may be done with lent keys now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Use them.
    Fresh,
    /// Use them, and get new ones.
    Due,
    /// They are over.
    Ended,
}

/// Why an answer is not a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LeaseError {
    /// It ended before it came.
    #[error("the keys that came ended at {0} already, by the clock of this machine")]
    Over(DateTime<Utc>),
    /// It ends when no lease ends.
    #[error("the keys that came end at {0}, which cannot be true: nobody lends keys for more than a week")]
    Endless(DateTime<Utc>),
}

impl Lease {
    /// A lease that was given at `now`. `jitter` (0 to 1) moves the renewal by up to a fifth of its lead, earlier
    /// only, so that many accounts do not renew in the same second.
    pub(super) fn new(now: DateTime<Utc>, ends: DateTime<Utc>, jitter: f64) -> Result<Self, LeaseError> {
        let life = ends.signed_duration_since(now);
        if life <= TimeDelta::zero() {
            return Err(LeaseError::Over(ends));
        }
        if life > LONGEST {
            return Err(LeaseError::Endless(ends));
        }
        let ahead = AHEAD.min(life / 3).to_std().unwrap_or_default();
        let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(0.0, 1.0) };
        let lead = ahead + (ahead / 5).mul_f64(jitter);
        Ok(Self { renew: ends - lead, ends })
    }

    /// What may be done now.
    pub(super) fn standing(&self, now: DateTime<Utc>) -> Standing {
        match () {
            () if now >= self.ends => Standing::Ended,
            () if now >= self.renew => Standing::Due,
            () => Standing::Fresh,
        }
    }

    /// Its end.
    pub(super) fn ends(&self) -> DateTime<Utc> {
        self.ends
    }
}

/// The memory of the tries to get keys.
#[derive(Debug, Default)]
pub(super) struct Tries {
    failures: u32,
    not_before: Duration,
    recent: VecDeque<Duration>,
}

impl Tries {
    /// Whether one may be made now.
    pub(super) fn allowed(&self, now: Duration) -> bool {
        let crowded = self.recent.len() == MOST
            && self.recent.front().is_some_and(|first| now.saturating_sub(*first) < SPAN);
        now >= self.not_before && !crowded
    }

    /// One is made now.
    pub(super) fn begun(&mut self, now: Duration) {
        if self.recent.len() == MOST {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// It failed; `hint` is how long the cloud wants to be left alone.
    pub(super) fn failed(&mut self, now: Duration, hint: Option<Duration>) {
        let wait = FIRST_WAIT.saturating_mul(1_u32 << self.failures.min(8)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + wait.max(hint.unwrap_or_default().min(LONGEST_WAIT));
    }

    /// It brought keys.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn renewal_comes_a_third_of_the_life_or_fifteen_minutes_before_the_end() {
        use Standing::{Due, Ended, Fresh};
        for (name, life, jitter, now, want) in [
            ("an hour, just had", 3600, 0.0, 0, Fresh),
            ("an hour, a second before the quarter", 3600, 0.0, 2699, Fresh),
            ("an hour, the last quarter", 3600, 0.0, 2700, Due),
            ("an hour, its last second", 3600, 0.0, 3599, Due),
            ("an hour, its end", 3600, 0.0, 3600, Ended),
            ("fifteen minutes, just had", 900, 0.0, 0, Fresh),
            ("fifteen minutes, before the last third", 900, 0.0, 599, Fresh),
            ("fifteen minutes, the last third", 900, 0.0, 600, Due),
            ("jitter makes it earlier", 3600, 1.0, 2520, Due),
            ("and not earlier than that", 3600, 1.0, 2519, Fresh),
            ("half of it", 3600, 0.5, 2610, Due),
            ("more than all of it", 3600, 9.0, 2519, Fresh),
            ("less than none of it", 3600, -9.0, 2699, Fresh),
            ("no number", 3600, f64::NAN, 2600, Fresh),
            ("three seconds", 3, 0.0, 1, Fresh),
            ("three seconds, the last one", 3, 0.0, 2, Due),
            ("a clock that was set back", 3600, 0.0, -86_400, Fresh),
        ] {
            let lease = Lease::new(at(0), at(life), jitter).unwrap();
            assert_eq!(lease.standing(at(now)), want, "{name}");
        }
    }

    #[test]
    fn an_end_that_cannot_be_is_an_error() {
        for (name, life, want) in [
            ("a second ago", -1, Some(LeaseError::Over(at(-1)))),
            ("this very moment", 0, Some(LeaseError::Over(at(0)))),
            ("a week", 604_800, None),
            ("more than a week", 604_801, Some(LeaseError::Endless(at(604_801)))),
        ] {
            assert_eq!(Lease::new(at(0), at(life), 0.0).err(), want, "{name}");
        }
        let last = DateTime::<Utc>::MAX_UTC;
        assert_eq!(Lease::new(at(0), last, 0.0).err(), Some(LeaseError::Endless(last)));
        let first = DateTime::<Utc>::MIN_UTC;
        assert_eq!(Lease::new(at(0), first, 0.0).err(), Some(LeaseError::Over(first)));
    }

    /// When tries are made in so many seconds by somebody who would like to try every second.
    fn tries(seconds: u64, fails: bool, hint: Option<u64>) -> Vec<u64> {
        let mut tries = Tries::default();
        let mut made = Vec::new();
        for second in 0..seconds {
            let now = Duration::from_secs(second);
            if tries.allowed(now) {
                tries.begun(now);
                made.push(second);
                if fails { tries.failed(now, hint.map(Duration::from_secs)) } else { tries.succeeded() }
            }
        }
        made
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        assert_eq!(tries(1200, true, None), [0, 15, 45, 105, 225, 465, 765, 1065]);
        assert_eq!(tries(200, true, Some(60)), [0, 60, 120, 180], "the cloud's own hint");
    }

    #[test]
    fn there_are_never_more_than_five_tries_a_minute() {
        assert_eq!(tries(130, false, None), [0, 1, 2, 3, 4, 60, 61, 62, 63, 64, 120, 121, 122, 123, 124]);
    }

    #[test]
    fn a_success_ends_the_waiting() {
        let mut tries = Tries::default();
        tries.begun(Duration::ZERO);
        tries.failed(Duration::ZERO, None);
        assert!(!tries.allowed(Duration::from_secs(1)));
        tries.succeeded();
        assert!(tries.allowed(Duration::from_secs(1)));
    }
}
