//! What is due after a restart: a pure function of what was known, the policy and `now`.
//!
//! A restart must neither ask early, else whoever restarts often asks often, nor ask everything at once that became due
//! meanwhile.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::identity::Scope;
use super::policy::PollPolicy;
use super::reason::Reason;
use super::resource::Resource;
use super::schedule::next_look;
use super::snapshot::ScopeView;

/// A scope whose key or permission was refused waits so long since then: no more often than a closed gate probes.
const REFUSED_RETRY: Duration = Duration::from_secs(15);

/// How long to wait before a scope is listed for the first time: the rest of the `regular` interval that began with the
/// last attempt. Whoever restarts after a refusal has probably mended the key or its permissions.
pub fn first_listing(view: &ScopeView, regular: Duration, now: DateTime<Utc>) -> Duration {
    let Some(attempted_at) = view.attempted_at else { return Duration::ZERO };
    let refused = view.failure().is_some_and(|failure| failure.reason == Reason::Denied);
    let interval = if refused { regular.min(REFUSED_RETRY) } else { regular };
    rest_of(interval, attempted_at, now)
}

/// What is left of an interval that began at `since`; all of it when the clock was set back behind its beginning.
pub fn rest_of(interval: Duration, since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    interval.saturating_sub((now - since).to_std().unwrap_or(Duration::ZERO))
}

/// When the resources of a scope are looked at first, as waits from `now` on; those that nobody planned to
/// look at are left out. `planned` says how long from now a look was planned, zero for one that is overdue.
///
/// A plan is kept, unless the policy (or a clock that was wrong) would by now have it earlier. What is overdue follows
/// one by one at the pace of the scope, what was not looked at for longest first.
pub fn first_looks<'r>(
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::reason::Failure;
    use crate::domain::schedule::next_listing;
    use crate::domain::testing::{moment, resource, scope};

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_scope_is_listed_when_its_interval_is_over() {
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
            assert_eq!(
                first_listing(&view, next_listing(&scope("rds"), &policy, failures), moment()),
                want,
                "{name}"
            );
        }
    }

    fn overdue(id: &str, looked_at: Option<TimeDelta>) -> Arc<Resource> {
        Arc::new(Resource { looked_at: looked_at.map(|ago| moment() - ago), ..resource(id) })
    }

    #[test]
    fn what_is_overdue_follows_one_by_one_and_plans_are_kept() {
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
        let looks = first_looks(&scope("rds"), &resources, planned, 2.0, &policy, moment());
        let looks: Vec<_> = looks.into_iter().map(|(resource, wait)| (&*resource.id, wait)).collect();
        let half = Duration::from_millis(500);
        assert_eq!(looks[..3], [("never", Duration::ZERO), ("last year", half), ("yesterday", 2 * half)]);
        assert_eq!(looks[3], ("planned", 5 * HOUR));
        assert!(looks[4].0 == "beyond max_age" && looks[4].1 <= 6 * HOUR, "{looks:?}");
        let unplanned = first_looks(&scope("rds"), &resources, |_| None, 2.0, &policy, moment());
        assert!(unplanned.is_empty());
    }
}
