//! Why a resource is looked at when it is, in words. The numbers are those of `schedule`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::text::about;
use crate::domain::duration::show_duration;
use crate::domain::policy::PollPolicy;
use crate::domain::resource::{Resource, TlsState};

/// The regular interval (jitter shortens it by up to a tenth), and the rule it comes from.
pub(super) fn regular_interval(
    resource: &Resource,
    policy: &PollPolicy,
    now: DateTime<Utc>,
) -> (Duration, String) {
    let max_age = show_duration(policy.max_age);
    match resource.state() {
        TlsState::Unsupported => {
            let interval = policy.max_age.max(Duration::from_hours(24));
            (interval, format!("it cannot have TLS, which hardly changes: every {}", show_duration(interval)))
        }
        TlsState::Disabled => (policy.max_age, format!("TLS is off: every max_age {max_age}")),
        TlsState::Enabled | TlsState::Unknown => {
            match resource.reading.as_ref().and_then(|reading| reading.earliest()) {
                Some(first) => by_time_left((first.not_after - now).to_std().unwrap_or_default(), policy),
                None => (policy.max_age, format!("no end is known: every max_age {max_age}")),
            }
        }
    }
}

fn by_time_left(left: Duration, policy: &PollPolicy) -> (Duration, String) {
    let PollPolicy { max_age, min_interval, .. } = *policy;
    let thirtieth = left / 30;
    let rule = format!("a thirtieth of the {} left", about(left));
    match () {
        () if left.is_zero() => {
            (min_interval, format!("it is over: every min_interval {}", show_duration(min_interval)))
        }
        () if thirtieth < min_interval => {
            let (thirtieth, least) = (about(thirtieth), show_duration(min_interval));
            (min_interval, format!("{rule} is {thirtieth}, but at least min_interval {least}"))
        }
        () if thirtieth > max_age => (
            max_age,
            format!("{rule} is {}, but at most max_age {}", about(thirtieth), show_duration(max_age)),
        ),
        () => {
            (thirtieth, format!("{rule}, {}, at most max_age {}", about(thirtieth), show_duration(max_age)))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::cli::testing::off;
    use crate::domain::schedule::next_look;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    fn ending_in(left: TimeDelta) -> Resource {
        let mut resource = resource("r-1");
        resource.reading = Some(reading(vec![certificate(moment() + left)]));
        resource
    }

    #[test]
    fn the_rule_is_said_with_its_numbers() {
        let read = |state| Resource { reading: Some(off(state)), ..resource("r-1") };
        for (name, resource, want) in [
            (
                "between",
                ending_in(TimeDelta::hours(150)),
                "a thirtieth of the 6 d left, 5 h, at most max_age 6h",
            ),
            (
                "far",
                ending_in(TimeDelta::days(40)),
                "a thirtieth of the 40 d left is 32 h, but at most max_age 6h",
            ),
            (
                "near",
                ending_in(TimeDelta::hours(3)),
                "a thirtieth of the 3 h left is 6 min, but at least min_interval 10m",
            ),
            ("over", ending_in(TimeDelta::days(-1)), "it is over: every min_interval 10m"),
            ("off", read(TlsState::Disabled), "TLS is off: every max_age 6h"),
            (
                "not possible",
                read(TlsState::Unsupported),
                "it cannot have TLS, which hardly changes: every 1d",
            ),
            ("not known", resource("r-1"), "no end is known: every max_age 6h"),
        ] {
            assert_eq!(regular_interval(&resource, &PollPolicy::default(), moment()).1, want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_words_say_what_the_schedule_does(hours in -400_i64..9000, state in 0..4_usize, max_age in 60..200_000_u64) {
            let state = [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown][state];
            let policy = PollPolicy {
                max_age: Duration::from_secs(max_age),
                min_interval: Duration::from_secs(max_age / 9 + 1),
                ..PollPolicy::default()
            };
            let mut resource = ending_in(TimeDelta::hours(hours));
            resource.reading.as_mut().expect("read").state = state;
            let said = regular_interval(&resource, &policy, moment()).0;
            let done = next_look(&scope("redis"), &resource, &policy, moment());
            prop_assert!(done <= said && done >= said.mul_f64(0.9), "said {said:?}, does {done:?}");
        }
    }
}
