//! How many certificates end when, without asking each of them again on every scrape: what a large fleet is alerted by.
//!
//! A certificate comes nearer to its end by waiting alone. So the counts of a chunk come with the time for which they
//! hold.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::resources::certificates;
use crate::domain::resource::Resource;

/// Values of the label `left`.
pub(super) const LEFT: [&str; 5] = ["expired", "7d", "30d", "90d", "later"];
/// The most days that each of them but the last has.
const DAYS: [i64; 4] = [0, 7, 30, 90];

/// The certificates of some resources by the time they have left, as long as nothing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endings {
    /// In the order of [`LEFT`].
    pub(super) counts: [usize; LEFT.len()],
    /// The end that comes first, or came.
    pub(super) earliest: Option<DateTime<Utc>>,
    counted_at: DateTime<Utc>,
    holds_until: DateTime<Utc>,
}

impl Endings {
    /// Of nothing.
    pub(super) fn none(now: DateTime<Utc>) -> Self {
        Self {
            counts: [0; LEFT.len()],
            earliest: None,
            counted_at: now,
            holds_until: DateTime::<Utc>::MAX_UTC,
        }
    }

    /// Counts what the page shows.
    pub(super) fn of(resources: &[Arc<Resource>], now: DateTime<Utc>) -> Self {
        let ends = resources.iter().flat_map(|resource| certificates(resource));
        ends.fold(Self::none(now), |sum, certificate| sum.with(certificate.not_after, now))
    }

    /// Both together.
    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            counts: std::array::from_fn(|n| self.counts[n] + other.counts[n]),
            earliest: self.earliest.into_iter().chain(other.earliest).min(),
            counted_at: self.counted_at.max(other.counted_at),
            holds_until: self.holds_until.min(other.holds_until),
        }
    }

    /// Whether the counts are still right.
    pub(super) fn holds(&self, now: DateTime<Utc>) -> bool {
        (self.counted_at..self.holds_until).contains(&now)
    }

    fn with(mut self, end: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let moved_at = |days: i64| end.checked_sub_signed(TimeDelta::days(days)).unwrap_or(end);
        let place = DAYS.iter().position(|days| moved_at(*days) <= now).unwrap_or(DAYS.len());
        self.counts[place] += 1;
        self.earliest = Some(self.earliest.map_or(end, |earliest| earliest.min(end)));
        if let Some(nearer) = place.checked_sub(1) {
            self.holds_until = self.holds_until.min(moved_at(DAYS[nearer]));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resource::TlsState;
    use crate::domain::testing::{certificate, moment, reading, resource};

    fn ending(at: DateTime<Utc>) -> Arc<Resource> {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![certificate(at)]));
        Arc::new(resource)
    }

    #[test]
    fn each_certificate_counts_once_where_its_time_lies() {
        let second = TimeDelta::seconds(1);
        for (name, left, want) in [
            ("long over", TimeDelta::days(-400), "expired"),
            ("over now", TimeDelta::zero(), "expired"),
            ("about to be", second, "7d"),
            ("a week", TimeDelta::days(7), "7d"),
            ("more than a week", TimeDelta::days(7) + second, "30d"),
            ("a month", TimeDelta::days(30), "30d"),
            ("a quarter", TimeDelta::days(90), "90d"),
            ("more", TimeDelta::days(90) + second, "later"),
        ] {
            let endings = Endings::of(&[ending(moment() + left)], moment());
            let place = endings.counts.iter().position(|count| *count == 1).expect("counted");
            assert_eq!((LEFT[place], endings.counts.iter().sum::<usize>()), (want, 1), "{name}");
            assert_eq!(endings.earliest, Some(moment() + left), "{name}");
        }
        let mut off = Resource::clone(&ending(moment()));
        off.reading.as_mut().expect("read").state = TlsState::Disabled;
        assert_eq!(Endings::of(&[Arc::new(off)], moment()), Endings::none(moment()), "TLS is off");
    }

    #[test]
    fn counts_hold_exactly_until_one_moves() {
        let resources = [5_i64, 40, 91, -3].map(|days| ending(moment() + TimeDelta::days(days)));
        for start in (0..120).step_by(3).map(|days| moment() + TimeDelta::days(days)) {
            let counted = Endings::of(&resources, start);
            for later in (0..2400).step_by(13).map(|hours| start + TimeDelta::hours(hours)) {
                let same = counted.counts == Endings::of(&resources, later).counts;
                assert_eq!(counted.holds(later), same, "{start} {later}");
            }
            assert!(!counted.holds(start - TimeDelta::seconds(1)), "a clock that was put back counts again");
        }
    }

    #[test]
    fn two_counts_are_added_up() {
        let [a, b] = [3, 50].map(|days| Endings::of(&[ending(moment() + TimeDelta::days(days))], moment()));
        let both = a.and(&b);
        assert_eq!((both.counts, both.earliest), ([0, 1, 0, 1, 0], a.earliest));
        assert_eq!(Endings::none(moment()).and(&b).earliest, b.earliest);
    }
}
