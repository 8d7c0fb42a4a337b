//! How people write a length of time, in the configuration and on the command line: `90s`, `15m`, `12h`, `30d`.

use std::time::Duration;

/// The units, longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// How a length of time is to be written; the hint of every refusal.
pub const DURATION_HINT: &str =
    "a duration is a whole number and a unit (s, m, h, d) without blanks: \"90s\", \"15m\", \"12h\", \"30d\"";

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a number with a unit; with what was probably meant.
    #[error("is not a duration")]
    Unreadable(Option<String>),
    /// Nothing can take no time at all.
    #[error("must be more than zero")]
    Zero,
    /// More seconds than fit.
    #[error("is longer than can be counted")]
    TooLong,
}

impl DurationError {
    /// A way out.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable(Some(meant)) => format!("did you mean \"{meant}\"? {DURATION_HINT}"),
            _ => DURATION_HINT.to_owned(),
        }
    }
}

/// Reads `90s`, `15m`, `12h` or `30d`; strictly, because a length that was guessed wrong is found out too late.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let unreadable = || DurationError::Unreadable(guess(text));
    let unit = text.chars().next_back().and_then(seconds_of).ok_or_else(unreadable)?;
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unreadable());
    }
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    match number.checked_mul(unit) {
        Some(0) => Err(DurationError::Zero),
        // chrono, which adds these to dates, counts milliseconds in an i64
        Some(seconds) if seconds <= i64::MAX.unsigned_abs() / 1000 => Ok(Duration::from_secs(seconds)),
        _ => Err(DurationError::TooLong),
    }
}

/// Writes a length of time the way [`parse_duration`] reads it, in the longest unit that fits without remainder.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |&&(_, unit): &&(char, u64)| seconds >= unit && seconds.is_multiple_of(unit);
    let (unit, length) = UNITS.iter().find(fits).copied().unwrap_or(('s', 1));
    format!("{}{unit}", seconds / length)
}

fn seconds_of(unit: char) -> Option<u64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds)
}

/// What `30 days`, `6H` or `2 weeks` were meant to be.
fn guess(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u32 = digits.parse().ok()?;
    match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(format!("{number}s")),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(format!("{number}m")),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(format!("{number}h")),
        "d" | "day" | "days" => Some(format!("{number}d")),
        "w" | "week" | "weeks" => Some(format!("{}d", u64::from(number) * 7)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_units_are_read() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("007s", 7)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_was_meant() {
        let unreadable = |meant: Option<&str>| DurationError::Unreadable(meant.map(str::to_owned));
        for (text, want) in [
            ("30 days", unreadable(Some("30d"))),
            ("6h ", unreadable(Some("6h"))),
            ("6H", unreadable(Some("6h"))),
            ("2 weeks", unreadable(Some("14d"))),
            ("-5m", unreadable(None)),
            ("+5m", unreadable(None)),
            ("1.5h", unreadable(None)),
            ("1h30m", unreadable(None)),
            ("30", unreadable(None)),
            ("h", unreadable(None)),
            ("", unreadable(None)),
            ("三十d", unreadable(None)),
            ("5天", unreadable(None)),
            ("0s", DurationError::Zero),
            ("0d", DurationError::Zero),
            ("99999999999999999999d", DurationError::TooLong),
            ("999999999999999999d", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn the_longest_unit_that_fits_is_written() {
        for (seconds, want) in [(90, "90s"), (60, "1m"), (900, "15m"), (86_400, "1d"), (90_000, "25h")] {
            assert_eq!(show_duration(Duration::from_secs(seconds)), want);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(seconds in 1_u64..9_000_000_000_000) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse_duration(&text);
        }
    }
}
