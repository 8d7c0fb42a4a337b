//! When to look next: a pure function of what is known, the policy and `now`.
//!
//! A certificate with a year left need not be asked about every minute, one with an hour left must: the interval is a
//! thirtieth of the time that is left, clamped to the policy. Jitter only ever shortens an interval, else `max_age`
//! would be a promise that is broken by a tenth.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::hash::stable_fraction;
use super::identity::Scope;
use super::policy::PollPolicy;
use super::resource::{Resource, TlsState};

/// An interval is shortened by up to this share.
const JITTER: f64 = 0.1;
/// What a cloud cannot do today it will hardly do tomorrow. (A new engine version causes a look at once.)
const UNSUPPORTED_EVERY: Duration = Duration::from_hours(24);
/// A failed look is repeated after this, then after twice as long, and so on.
const RETRY: Duration = Duration::from_mins(1);

/// How long to wait before the next look at a resource, as it stands after its last one.
pub fn next_look(scope: &Scope, resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    let regular = shorten(interval(resource, policy, now), spread(scope, &resource.id));
    match resource.failures_in_a_row {
        0 => regular,
        failures => {
            backoff(policy.min_interval, failures).min(regular).min(overdue_in(resource, policy, now))
        }
    }
}

/// How long the data of a failing resource may still be left alone: until it reaches `max_age`, and from then on never
/// longer than `min_interval`, so that the end of an outage is noticed.
fn overdue_in(resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    let age = resource.reading.as_ref().and_then(|reading| (now - reading.at).to_std().ok());
    let left = age.map_or(Duration::ZERO, |age| policy.max_age.saturating_sub(age));
    left.max(policy.min_interval)
}

/// How long to wait before the second look at a resource.
///
/// First looks come all at once, when a scope is first listed. Their successors are spread over the whole interval
/// between `min_interval` and the regular one, so that the load is even from the second round on.
pub fn second_look(scope: &Scope, resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    let regular = next_look(scope, resource, policy, now);
    let spread_over =
        stable_fraction(["second", &scope.account, &scope.region, &scope.service, &resource.id]);
    let soonest = policy.min_interval.min(regular);
    soonest + regular.saturating_sub(soonest).mul_f64(spread_over)
}

/// How long to wait before a scope is listed again, after this many failed listings in a row.
pub fn next_listing(scope: &Scope, policy: &PollPolicy, failures: u32) -> Duration {
    let regular = shorten(policy.discover_every, spread(scope, "listing"));
    if failures == 0 { regular } else { backoff(policy.discover_every, failures).min(regular) }
}

/// How long to wait before a scope is listed again whose listing carries the certificates of `carried`: when the first
/// of them is due. With such a cloud a listing is the look, and keeps the promise of `max_age`.
pub fn next_carrying_listing<'r>(
    scope: &Scope,
    policy: &PollPolicy,
    failures: u32,
    carried: impl IntoIterator<Item = &'r Resource>,
    now: DateTime<Utc>,
) -> Duration {
    let due = carried.into_iter().map(|resource| next_look(scope, resource, policy, now));
    due.fold(next_listing(scope, policy, failures), Duration::min)
}

/// How old data may get before it counts as stale: what the policy promises, and a little for the call itself.
pub fn stale_after(state: TlsState, policy: &PollPolicy) -> Duration {
    let promised = match state {
        TlsState::Unsupported => policy.max_age.max(UNSUPPORTED_EVERY),
        _ => policy.max_age,
    };
    promised + policy.timeout + (policy.max_age / 10).max(Duration::from_mins(1))
}

/// What a scope asks of the pace of its detail call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Calls a second in the long run.
    pub needed_per_second: f64,
    /// What is allowed.
    pub allowed_per_second: f64,
    /// One look at each resource takes this long.
    pub round: Duration,
}

impl Load {
    /// The pace does not suffice for `max_age`.
    pub fn is_too_large(&self, policy: &PollPolicy) -> bool {
        self.round > policy.max_age || self.needed_per_second > self.allowed_per_second
    }
}

/// What these resources ask of a pace.
pub fn load<'r>(
    resources: impl Iterator<Item = &'r Resource>,
    allowed_per_second: f64,
    policy: &PollPolicy,
    now: DateTime<Utc>,
) -> Load {
    let (mut count, mut needed_per_second) = (0.0, 0.0);
    for resource in resources {
        count += 1.0;
        needed_per_second += 1.0 / (interval(resource, policy, now).as_secs_f64() * (1.0 - JITTER / 2.0));
    }
    let seconds = count / allowed_per_second.max(f64::MIN_POSITIVE);
    let round = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Load { needed_per_second, allowed_per_second, round }
}

impl Resource {
    /// What is known of it is older than the policy promises. The one rule for every count and every mark; where
    /// nothing was ever read, nothing can be too old: that is [`TlsState::Unknown`].
    pub fn is_stale(&self, policy: &PollPolicy, now: DateTime<Utc>) -> bool {
        self.fresh_until(policy).is_some_and(|until| until < now)
    }

    /// The last moment at which what is known of it is not stale; `None` where nothing was ever read. A reading from
    /// the future (the clock was put back) is as young as can be.
    pub fn fresh_until(&self, policy: &PollPolicy) -> Option<DateTime<Utc>> {
        let reading = self.reading.as_ref()?;
        let limit = TimeDelta::from_std(stale_after(reading.state, policy)).unwrap_or(TimeDelta::MAX);
        Some(reading.at.checked_add_signed(limit).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

fn interval(resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    match resource.state() {
        TlsState::Unsupported => policy.max_age.max(UNSUPPORTED_EVERY),
        TlsState::Disabled => policy.max_age,
        TlsState::Enabled | TlsState::Unknown => {
            let ends = resource.reading.as_ref().and_then(|reading| reading.earliest());
            let Some(ends) = ends else { return policy.max_age };
            let left = (ends.not_after - now).to_std().unwrap_or(Duration::ZERO);
            (left / 30).clamp(policy.min_interval, policy.max_age)
        }
    }
}

fn backoff(regular: Duration, failures: u32) -> Duration {
    let first = RETRY.min(regular);
    first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX))
}

fn shorten(interval: Duration, fraction: f64) -> Duration {
    interval.mul_f64(1.0 - JITTER * fraction)
}

fn spread(scope: &Scope, what: &str) -> f64 {
    stable_fraction([&*scope.provider, &scope.account, &scope.project, &scope.region, &scope.service, what])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::resource::Reading;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);

    fn look_with_time_left(left: TimeDelta) -> Duration {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![certificate(moment() + left)]));
        next_look(&scope("redis"), &resource, &PollPolicy::default(), moment())
    }

    #[test]
    fn the_interval_is_a_thirtieth_of_the_time_left_clamped_and_never_longer() {
        for (name, left, longest) in [
            ("a year left", TimeDelta::days(365), 6 * HOUR),
            ("a week left", TimeDelta::hours(168), 336 * MINUTE),
            ("a day left", TimeDelta::hours(24), 48 * MINUTE),
            ("five hours left", TimeDelta::hours(5), 10 * MINUTE),
            ("a minute left", TimeDelta::minutes(1), 10 * MINUTE),
            ("expired a month ago", TimeDelta::days(-30), 10 * MINUTE),
            ("year 9999", TimeDelta::days(2_900_000), 6 * HOUR),
        ] {
            let wait = look_with_time_left(left);
            assert!(wait <= longest, "{name}: {wait:?} is longer than {longest:?}");
            assert!(wait >= longest.mul_f64(0.9), "{name}: {wait:?} is much shorter than {longest:?}");
        }
    }

    #[test]
    fn a_failing_resource_is_tried_again_soon_then_ever_later_but_never_beyond_its_regular_interval() {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![certificate(moment() + TimeDelta::days(365))]));
        let waits: Vec<_> = [1, 2, 3, 9, 40, u32::MAX]
            .into_iter()
            .map(|failures| {
                resource.failures_in_a_row = failures;
                next_look(&scope("redis"), &resource, &PollPolicy::default(), moment())
            })
            .collect();
        assert_eq!(waits[..3], [MINUTE, 2 * MINUTE, 4 * MINUTE]);
        assert!(waits[3..].iter().all(|wait| (HOUR.mul_f64(3.9)..=6 * HOUR).contains(wait)), "{waits:?}");
    }

    #[test]
    fn data_that_is_too_old_is_asked_for_again_and_again() {
        let policy = PollPolicy::default();
        let mut resource = resource("r-1");
        resource.failures_in_a_row = 30;
        for (name, hours_old, longest) in
            [("fresh", 1, 5 * HOUR), ("nearly", 5, HOUR), ("too old", 7, 10 * MINUTE)]
        {
            let mut read = reading(vec![certificate(moment() + TimeDelta::days(365))]);
            read.at = moment() - TimeDelta::hours(hours_old);
            resource.reading = Some(read);
            let wait = next_look(&scope("redis"), &resource, &policy, moment());
            assert!(wait <= longest, "{name}: {wait:?}");
        }
        resource.reading = None;
        assert!(next_look(&scope("redis"), &resource, &policy, moment()) <= 10 * MINUTE, "never read");
    }

    #[test]
    fn a_scope_is_too_large_when_a_round_or_the_long_run_is() {
        let (policy, soon) = (PollPolicy::default(), moment() + TimeDelta::hours(4));
        let many = |ends: DateTime<Utc>| {
            let mut resource = resource("r-1");
            resource.reading = Some(reading(vec![certificate(ends)]));
            vec![resource; 10_000]
        };
        let is_too_large = |resources: &[Resource], rate| {
            load(resources.iter(), rate, &policy, moment()).is_too_large(&policy)
        };
        assert!(!is_too_large(&many(moment() + TimeDelta::days(300)), 3.0));
        assert!(is_too_large(&many(moment() + TimeDelta::days(300)), 0.3), "a round of nine hours");
        assert!(is_too_large(&many(soon), 10.0), "each of them every ten minutes is 17 a second");
    }

    #[test]
    fn off_is_asked_about_within_max_age_and_unsupported_daily() {
        let mut resource = resource("r-1");
        for (state, longest) in [(TlsState::Disabled, 6 * HOUR), (TlsState::Unsupported, 24 * HOUR)] {
            let mut off = reading(vec![]);
            off.state = state;
            resource.reading = Some(off);
            let wait = next_look(&scope("redis"), &resource, &PollPolicy::default(), moment());
            assert!((longest.mul_f64(0.9)..=longest).contains(&wait), "{state:?}: {wait:?}");
        }
    }

    #[test]
    fn a_reading_goes_stale_just_after_its_limit() {
        let policy = PollPolicy::default();
        for state in [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown] {
            let limit =
                TimeDelta::from_std(stale_after(state, &policy)).expect("a limit that can be counted");
            let mut resource = resource("r-1");
            resource.reading = Some(Reading { state, ..reading(vec![]) });
            for (name, age, want) in [
                ("just read", TimeDelta::zero(), false),
                ("at the limit", limit, false),
                ("a moment later", limit + TimeDelta::nanoseconds(1), true),
                ("read in the future", TimeDelta::hours(-9), false),
            ] {
                assert_eq!(resource.is_stale(&policy, moment() + age), want, "{state:?} {name}");
            }
        }
    }

    #[test]
    fn what_was_never_read_is_unknown_and_not_stale() {
        let unread = resource("r-1");
        assert_eq!(unread.state(), TlsState::Unknown);
        assert!(!unread.is_stale(&PollPolicy::default(), DateTime::<Utc>::MAX_UTC));
    }

    #[test]
    fn a_promise_beyond_all_time_is_never_broken() {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![]));
        let patient = PollPolicy { max_age: Duration::from_secs(u64::MAX / 4), ..PollPolicy::default() };
        assert!(!resource.is_stale(&patient, DateTime::<Utc>::MAX_UTC));
    }

    #[test]
    fn a_failed_listing_is_repeated_after_a_minute_and_at_least_at_the_regular_pace() {
        let policy = PollPolicy::default();
        let waits: Vec<_> =
            [0, 1, 2, 3, 20].map(|failures| next_listing(&scope("rds"), &policy, failures)).into();
        assert_eq!(waits[1..4], [MINUTE, 2 * MINUTE, 4 * MINUTE]);
        assert_eq!(waits[0], waits[4]);
        assert!((HOUR.mul_f64(0.9)..=HOUR).contains(&waits[0]));
    }

    #[test]
    fn a_listing_that_carries_is_made_when_the_first_certificate_is_due() {
        let (scope, policy) = (scope("ulb"), PollPolicy::default());
        let ending = |left| {
            let mut resource = resource("ssl-1");
            resource.reading = Some(reading(vec![certificate(moment() + left)]));
            resource
        };
        let wait = |policy: &PollPolicy, carried: &[Resource]| {
            next_carrying_listing(&scope, policy, 0, carried, moment())
        };
        let plain = next_listing(&scope, &policy, 0);
        assert_eq!(wait(&policy, &[]), plain);
        assert_eq!(wait(&policy, &[ending(TimeDelta::days(90))]), plain, "an hour is often enough");
        let soon = wait(&policy, &[ending(TimeDelta::days(90)), ending(TimeDelta::hours(10))]);
        assert!(soon <= 20 * MINUTE && soon > 17 * MINUTE, "{soon:?}");
        let strict = PollPolicy { max_age: MINUTE, min_interval: MINUTE / 2, ..policy };
        assert!(wait(&strict, &[ending(TimeDelta::days(90))]) <= MINUTE, "the promise holds");
    }

    #[test]
    fn second_looks_are_spread_evenly_from_the_shortest_interval_to_the_regular_one() {
        let policy = PollPolicy::default();
        let mut tenths = [0; 10];
        for n in 0..10_000 {
            let mut resource = resource(&format!("r-bp{n:06}"));
            resource.reading = Some(reading(vec![certificate(moment() + TimeDelta::days(365))]));
            let scope = scope("redis");
            let wait = second_look(&scope, &resource, &policy, moment()).saturating_sub(policy.min_interval);
            let longest = next_look(&scope, &resource, &policy, moment()).saturating_sub(policy.min_interval);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 9
            let tenth = (wait.div_duration_f64(longest) * 10.0).min(9.0) as usize;
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    proptest! {
        #[test]
        fn no_interval_breaks_the_promise(left in -400_i64..4000, failures in 0..50_u32, seconds in 1..100_000_u64) {
            let policy = PollPolicy {
                max_age: Duration::from_secs(seconds),
                min_interval: Duration::from_secs(1 + seconds / 7).min(Duration::from_secs(seconds)),
                ..PollPolicy::default()
            };
            let mut resource = resource("r-1");
            resource.reading = Some(reading(vec![certificate(moment() + TimeDelta::hours(left))]));
            resource.failures_in_a_row = failures;
            let (next, second) = (
                next_look(&scope("redis"), &resource, &policy, moment()),
                second_look(&scope("redis"), &resource, &policy, moment()),
            );
            prop_assert!(next <= policy.max_age && second <= next);
            prop_assert!(next > Duration::ZERO && second > Duration::ZERO);
        }
    }
}
