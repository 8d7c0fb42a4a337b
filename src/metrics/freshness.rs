//! How many resources are stale, without asking each of them again on every scrape.
//!
//! A resource goes stale by waiting alone. So the count of a chunk comes with the time for which it holds.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::policy::PollPolicy;
use crate::domain::resource::Resource;
use crate::domain::schedule::stale_after;

/// How many of some resources are stale, and for how long that is true while nothing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freshness {
    pub(super) stale: usize,
    counted_at: DateTime<Utc>,
    holds_for: Duration,
}

impl Freshness {
    /// Counts.
    pub(super) fn of(resources: &[Arc<Resource>], policy: &PollPolicy, now: DateTime<Utc>) -> Self {
        let nothing = Self { stale: 0, counted_at: now, holds_for: Duration::MAX };
        resources.iter().fold(nothing, |mut sum, resource| {
            match fresh_for(resource, policy, now) {
                Some(left) => sum.holds_for = sum.holds_for.min(left),
                None => sum.stale += 1,
            }
            sum
        })
    }

    /// Whether the count is still right.
    pub(super) fn holds(&self, now: DateTime<Utc>) -> bool {
        (now - self.counted_at).to_std().is_ok_and(|since| since <= self.holds_for)
    }
}

/// How long the reading stays fresh; `None` if it is not, or there is none.
fn fresh_for(resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Option<Duration> {
    let reading = resource.reading.as_ref()?;
    // A reading from the future (the clock was put back) is as young as can be.
    let age = (now - reading.at).to_std().unwrap_or_default();
    stale_after(reading.state, policy).checked_sub(age)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::resource::TlsState;
    use crate::domain::testing::{moment, reading, resource};

    fn read_at(at: DateTime<Utc>, state: TlsState) -> Arc<Resource> {
        let mut resource = resource("r-1");
        let mut reading = reading(vec![]);
        (reading.at, reading.state) = (at, state);
        resource.reading = Some(reading);
        Arc::new(resource)
    }

    fn stale_at(resources: &[Arc<Resource>], now: DateTime<Utc>) -> usize {
        Freshness::of(resources, &PollPolicy::default(), now).stale
    }

    #[test]
    fn a_reading_goes_stale_just_after_its_limit() {
        let limit = |state| {
            TimeDelta::from_std(stale_after(state, &PollPolicy::default()))
                .expect("a limit that can be counted")
        };
        for state in [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown] {
            let resources = [read_at(moment(), state)];
            for (name, age, want) in [
                ("just read", TimeDelta::zero(), 0),
                ("at the limit", limit(state), 0),
                ("a moment later", limit(state) + TimeDelta::nanoseconds(1), 1),
                ("read in the future", TimeDelta::hours(-9), 0),
            ] {
                assert_eq!(stale_at(&resources, moment() + age), want, "{state:?} {name}");
            }
        }
    }

    #[test]
    fn what_was_never_read_is_stale() {
        assert_eq!(stale_at(&[Arc::new(resource("r-1"))], moment()), 1);
    }

    #[test]
    fn a_count_holds_exactly_until_the_next_one_goes_stale() {
        let policy = PollPolicy::default();
        let resources =
            [0, 60, 120].map(|minutes| read_at(moment() + TimeDelta::minutes(minutes), TlsState::Enabled));
        for start in (0..900).step_by(7).map(|minutes| moment() + TimeDelta::minutes(minutes)) {
            let counted = Freshness::of(&resources, &policy, start);
            for later in (0..900).step_by(11).map(|minutes| start + TimeDelta::minutes(minutes)) {
                let now = Freshness::of(&resources, &policy, later);
                assert_eq!(counted.holds(later), counted.stale == now.stale, "{start} {later}");
            }
            assert!(!counted.holds(start - TimeDelta::seconds(1)), "a clock that was put back counts again");
        }
    }
}
