//! When to look next: a pure function of what is known, the policy and `now`.
//!
//! A certificate with a year left need not be asked about every minute, one with an hour left must: the interval is a
//! thirtieth of the time that is left, clamped to the policy. Jitter only ever shortens an interval, else `max_age`
//! would be a promise that is broken by a tenth.

use std::time::Duration;

use chrono::{DateTime, Utc};

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
/// A resource in the middle of a change is looked at again after this.
const BUSY_RETRY: Duration = Duration::from_mins(2);

/// How long to wait before the next look at a resource, as it stands after its last one.
pub fn next_look(scope: &Scope, resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    let regular = shorten(interval(resource, policy, now), spread(scope, &resource.id));
    match resource.failures_in_a_row {
        0 => regular,
        failures => backoff(policy.min_interval, failures).min(regular),
    }
}

/// How long to wait before the second look at a resource.
///
/// First looks come all at once, when a scope is first listed. Their successors are spread over the whole interval
/// (never beyond it), so that the load is even from the second round on.
pub fn second_look(scope: &Scope, resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> Duration {
    let regular = next_look(scope, resource, policy, now);
    let spread_over =
        stable_fraction(["second", &scope.account, &scope.region, &scope.service, &resource.id]);
    regular.mul_f64(spread_over).max(policy.min_interval.min(regular))
}

/// How long to wait before the next look at a resource that was in the middle of a change.
pub fn look_at_busy(policy: &PollPolicy) -> Duration {
    BUSY_RETRY.min(policy.min_interval)
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

/// How many calls a second this resource costs in the long run.
pub fn calls_per_second(resource: &Resource, policy: &PollPolicy, now: DateTime<Utc>) -> f64 {
    1.0 / (interval(resource, policy, now).as_secs_f64() * (1.0 - JITTER / 2.0))
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
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
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
