//! Words of the command line: times and lengths as people say them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// `2026-12-01T08:00:00Z`, to the second.
pub(super) fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-12-01 08:00:00 UTC`.
pub(super) fn utc(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `42 d`, below two days `31 h`, below an hour `12 min`, at last `5 s`; whole units that are really left, never rounded up.
/// What is over reads `3 d ago`.
pub(super) fn left(left: TimeDelta) -> String {
    let length = length(left.abs());
    if left <= TimeDelta::zero() { format!("{length} ago") } else { length }
}

/// How long something has lasted: never `ago`, and never less than nothing, whatever a clock did.
pub(super) fn lasting(lasting: TimeDelta) -> String {
    length(lasting.max(TimeDelta::zero()))
}

fn length(length: TimeDelta) -> String {
    match (length.num_hours(), length.num_minutes()) {
        (48.., _) => format!("{} d", length.num_days()),
        (hours @ 1.., _) => format!("{hours} h"),
        (_, minutes @ 1..) => format!("{minutes} min"),
        _ => format!("{} s", length.num_seconds()),
    }
}

/// A length as people say it, rounded down: `45 s`, `62 min`, `16 h`, `40 d`.
pub(super) fn about(length: Duration) -> String {
    match length.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// `1 scope`, `2 scopes`.
pub(super) fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_just_begun_lasts_and_is_not_ago() {
        for (seconds, want) in [(-3, "0 s"), (0, "0 s"), (59, "59 s"), (7_200, "2 h"), (259_200, "3 d")] {
            assert_eq!(lasting(TimeDelta::seconds(seconds)), want, "{seconds} s");
        }
    }

    #[test]
    fn what_is_left_is_said_in_days_then_hours_then_minutes() {
        for (seconds, want) in [
            (42 * 86_400 + 86_399, "42 d"),
            (48 * 3_600, "2 d"),
            (48 * 3_600 - 1, "47 h"),
            (3_600, "1 h"),
            (3_599, "59 min"),
            (1, "1 s"),
            (0, "0 s ago"),
            (-3_599, "59 min ago"),
            (-47 * 3_600, "47 h ago"),
            (-3 * 86_400, "3 d ago"),
        ] {
            assert_eq!(left(TimeDelta::seconds(seconds)), want, "{seconds} s");
        }
    }

    #[test]
    fn lengths_are_said_in_units_that_people_compare() {
        for (seconds, want) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (3_720, "62 min"),
            (57_600, "16 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), want);
        }
    }
}
