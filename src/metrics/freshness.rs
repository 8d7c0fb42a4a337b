//! How many resources are stale, without asking each of them again on every scrape.
//!
//! A resource goes stale by waiting alone. So the count of a chunk comes with the time for which it holds.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::policy::PollPolicy;
use crate::domain::resource::Resource;

/// How many of some resources are stale, and for how long that is true while nothing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freshness {
    pub(super) stale: usize,
    counted_at: DateTime<Utc>,
    holds_until: DateTime<Utc>,
}

impl Freshness {
    /// Counts.
    pub(super) fn of(resources: &[Arc<Resource>], policy: &PollPolicy, now: DateTime<Utc>) -> Self {
        let nothing = Self { stale: 0, counted_at: now, holds_until: DateTime::<Utc>::MAX_UTC };
        resources.iter().fold(nothing, |mut sum, resource| {
            match resource.fresh_until(policy) {
                _ if resource.is_stale(policy, now) => sum.stale += 1,
                Some(until) => sum.holds_until = sum.holds_until.min(until),
                None => {}
            }
            sum
        })
    }

    /// Whether the count is still right.
    pub(super) fn holds(&self, now: DateTime<Utc>) -> bool {
        (self.counted_at..=self.holds_until).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::{moment, reading, resource};

    fn read_at(at: DateTime<Utc>) -> Arc<Resource> {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![]));
        resource.reading.as_mut().expect("just read").at = at;
        Arc::new(resource)
    }

    #[test]
    fn those_that_are_stale_are_counted_and_those_that_were_never_read_are_not() {
        let resources =
            [read_at(moment()), read_at(moment() - TimeDelta::days(2)), Arc::new(resource("r-2"))];
        assert_eq!(Freshness::of(&resources, &PollPolicy::default(), moment()).stale, 1);
    }

    #[test]
    fn a_count_holds_exactly_until_the_next_one_goes_stale() {
        let policy = PollPolicy::default();
        let resources = [0, 60, 120].map(|minutes| read_at(moment() + TimeDelta::minutes(minutes)));
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
