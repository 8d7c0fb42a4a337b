//! When to look next: a pure function of what is known, the policy and `now`.
//!
//! A certificate with a year left need not be asked about every minute, one with an hour left must: the interval is a
//! thirtieth of the time that is left, clamped to the policy. Jitter only ever shortens an interval, else `max_age`
//! would be a promise that is broken by a tenth.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::hash::stable_fraction;
use super::identity::Scope;
use super::policy::PollPolicy;
use super::reason::Reason;
use super::resource::{Resource, TlsState};
use super::snapshot::ScopeView;

/// An interval is shortened by up to this share.
const JITTER: f64 = 0.1;
/// What a cloud cannot do today it will hardly do tomorrow. (A new engine version causes a look at once.)
const UNSUPPORTED_EVERY: Duration = Duration::from_hours(24);
/// A failed look is repeated after this, then after twice as long, and so on.
const RETRY: Duration = Duration::from_mins(1);
/// After a restart, a scope whose key was refused waits so long since then: no more often than a closed gate probes.
const REFUSED_RETRY: Duration = Duration::from_secs(15);
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

/// How long to wait before a scope is listed for the first time after a restart: the rest of the interval that began
/// with the last attempt. Whoever restarts after a refusal has probably mended the key or its permissions.
pub fn listing_after_restart(
    scope: &Scope,
    view: &ScopeView,
    policy: &PollPolicy,
    now: DateTime<Utc>,
) -> Duration {
    let Some(attempted_at) = view.attempted_at else { return Duration::ZERO };
    let regular = next_listing(scope, policy, view.listing_failures);
    let refused = view.listing_failure.as_ref().is_some_and(|failure| failure.reason == Reason::Denied);
    let interval = if refused { regular.min(REFUSED_RETRY) } else { regular };
    rest_of(interval, attempted_at, now)
}

/// What is left of an interval that began at `since`; all of it when the clock was set back behind its beginning.
pub fn rest_of(interval: Duration, since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    interval.saturating_sub((now - since).to_std().unwrap_or(Duration::ZERO))
}

/// When the resources of a scope are looked at after a restart, as waits from `now` on; those that nobody planned to
/// look at are left out. `planned` says how long from now a look was planned, zero for one that is overdue.
///
/// A plan is kept, unless the policy (or a clock that was wrong) would by now have it earlier. What is overdue follows
/// one by one at the pace of the scope, what was not looked at for longest first.
pub fn looks_after_restart<'r>(
    scope: &Scope,
    resources: impl IntoIterator<Item = &'r Arc<Resource>>,
    planned: impl Fn(&Resource) -> Option<Duration>,
    calls_per_second: f64,
    policy: &PollPolicy,
    now: DateTime<Utc>,
) -> Vec<(&'r Arc<Resource>, Duration)> {
    let planned = |resource: &'r Arc<Resource>| planned(resource).map(|wait| (resource, wait));
    let waits = resources.into_iter().filter_map(planned);
    let mut waits: Vec<_> = waits
        .map(|(resource, wait)| (resource, wait, next_look(scope, resource, policy, now)))
        .map(|(resource, wait, longest)| (resource, wait.min(longest), longest))
        .collect();
    waits.sort_by_key(|(resource, wait, _)| (*wait, resource.looked_at));
    let one_call = Duration::try_from_secs_f64(1.0 / calls_per_second).unwrap_or(Duration::MAX);
    let mut turn = Duration::ZERO;
    let in_turn = waits.into_iter().map(|(resource, wait, longest)| {
        if wait > Duration::ZERO {
            return (resource, wait);
        }
        let wait = turn.min(longest);
        turn = turn.saturating_add(one_call);
        (resource, wait)
    });
    in_turn.collect()
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
    use crate::domain::reason::Failure;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const SECOND: Duration = Duration::from_secs(1);

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
    fn after_a_restart_a_scope_is_listed_when_its_interval_is_over() {
        let policy = PollPolicy::default();
        let regular = next_listing(&scope("rds"), &policy, 0);
        let minutes = TimeDelta::minutes;
        let refused = Failure { reason: Reason::Denied, text: "".into(), at: moment() };
        let silent = Failure { reason: Reason::Timeout, ..refused.clone() };
        for (name, attempted, failures, failure, want) in [
            ("never tried", None, 0, None, Duration::ZERO),
            ("ten minutes ago", Some(minutes(10)), 0, None, regular.saturating_sub(10 * MINUTE)),
            ("a day ago", Some(TimeDelta::days(1)), 0, None, Duration::ZERO),
            ("in what is now the future", Some(minutes(-30)), 0, None, regular),
            ("failed twice", Some(minutes(1)), 2, Some(silent), MINUTE),
            ("refused just now", Some(TimeDelta::seconds(5)), 3, Some(refused.clone()), 10 * SECOND),
            ("refused a minute ago", Some(minutes(1)), 3, Some(refused), Duration::ZERO),
        ] {
            let mut view = ScopeView::default();
            view.attempted_at = attempted.map(|ago| moment() - ago);
            (view.listing_failures, view.listing_failure) = (failures, failure);
            assert_eq!(listing_after_restart(&scope("rds"), &view, &policy, moment()), want, "{name}");
        }
    }

    fn overdue(id: &str, looked_at: Option<TimeDelta>) -> Arc<Resource> {
        Arc::new(Resource { looked_at: looked_at.map(|ago| moment() - ago), ..resource(id) })
    }

    #[test]
    fn what_is_overdue_after_a_restart_follows_one_by_one_and_plans_are_kept() {
        let far = Arc::new(Resource { due: Some(5 * HOUR), ..resource("planned") });
        let too_far = Arc::new(Resource { due: Some(900 * HOUR), ..resource("beyond max_age") });
        let resources = [
            overdue("yesterday", Some(TimeDelta::days(1))),
            far,
            overdue("last year", Some(TimeDelta::days(365))),
            too_far,
            overdue("never", None),
        ];
        let planned = |resource: &Resource| Some(resource.due.unwrap_or_default());
        let policy = PollPolicy::default();
        let looks = looks_after_restart(&scope("rds"), &resources, planned, 2.0, &policy, moment());
        let looks: Vec<_> = looks.into_iter().map(|(resource, wait)| (&*resource.id, wait)).collect();
        let half = Duration::from_millis(500);
        assert_eq!(looks[..3], [("never", Duration::ZERO), ("last year", half), ("yesterday", 2 * half)]);
        assert_eq!(looks[3], ("planned", 5 * HOUR));
        assert!(looks[4].0 == "beyond max_age" && looks[4].1 <= 6 * HOUR, "{looks:?}");
        let unplanned = looks_after_restart(&scope("rds"), &resources, |_| None, 2.0, &policy, moment());
        assert!(unplanned.is_empty());
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
