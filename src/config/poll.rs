//! `[poll]`

use std::time::Duration;

use crate::domain::duration::show_duration;
use crate::domain::policy::PollPolicy;
use crate::fields::Fields;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const MONTH: Duration = Duration::from_hours(30 * 24);

/// Reads the table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<PollPolicy> {
    let usual = PollPolicy::default();
    let max_age = fields.duration("max_age", SECOND..=MONTH);
    let min_interval = fields.duration("min_interval", SECOND..=MONTH);
    let discover_every = fields.duration("discover_every", SECOND..=MONTH).unwrap_or(usual.discover_every);
    let timeout = fields.duration("timeout", SECOND..=TEN_MINUTES).unwrap_or(usual.timeout);
    let concurrency =
        fields.integer("concurrency", 1..=10_000).and_then(|number| usize::try_from(number).ok());
    let (max_age, min_interval) = interval(fields, max_age, min_interval)?;
    let concurrency = concurrency.unwrap_or(usual.concurrency);
    Some(PollPolicy { max_age, min_interval, discover_every, timeout, concurrency })
}

/// The two ends of the time between looks. One that is not set gives way to the other.
fn interval(
    fields: &mut Fields<'_>,
    max_age: Option<Duration>,
    min_interval: Option<Duration>,
) -> Option<(Duration, Duration)> {
    let usual = PollPolicy::default();
    match (max_age, min_interval) {
        (Some(most), Some(least)) if least > most => {
            let predicate = format!(
                "must not be longer than `max_age`: found \"{}\", and `max_age` is \"{}\"",
                show_duration(least),
                show_duration(most)
            );
            fields.problem("min_interval", &predicate, "min_interval is the shortest time between two looks");
            None
        }
        (Some(most), Some(least)) => Some((most, least)),
        (Some(most), None) => Some((most, usual.min_interval.min(most))),
        (None, Some(least)) => Some((usual.max_age.max(least), least)),
        (None, None) => Some((usual.max_age, usual.min_interval)),
    }
}
