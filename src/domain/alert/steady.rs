//! Whether the wall clock can be believed at the moment. Nothing is concluded, and nothing is said, from one look at a
//! clock that has jumped: it may jump back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that moved by more than this against the other has jumped.
const JUMP: TimeDelta = TimeDelta::minutes(10);
/// A clock that jumped is believed when it stands for so long: longer than until the next evaluation of what is to be
/// told.
pub const BELIEVED_AFTER: Duration = Duration::from_secs(20);

/// The last look at both clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Steady(Option<(DateTime<Utc>, Duration)>);

impl Steady {
    /// By how much the wall clock jumped since the last look, by a monotonic clock; `None`: it did not. Each jump is seen
    /// once.
    pub fn jumped(&mut self, wall: DateTime<Utc>, monotonic: Duration) -> Option<TimeDelta> {
        let (wall_before, monotonic_before) = self.0.replace((wall, monotonic))?;
        let passed = monotonic.saturating_sub(monotonic_before);
        let passed = TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        let jump = (wall - wall_before).checked_sub(&passed)?;
        (jump.abs() > JUMP).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;

    #[test]
    fn each_jump_is_seen_once_and_a_jump_back_is_another() {
        let mut steady = Steady::default();
        let (minute, year) = (TimeDelta::minutes(1), TimeDelta::days(365));
        for (name, minutes, skew, want) in [
            ("the first look knows nothing", 0, year, None),
            ("time passes", 1, year, None),
            ("a small correction", 2, year + minute * 10, None),
            ("back", 3, minute * 10, Some(-year)),
            ("believed", 4, minute * 10, None),
            ("an hour ahead", 5, minute * 70, Some(minute * 60)),
            ("a day back", 6, minute * (70 - 24 * 60), Some(minute * -24 * 60)),
        ] {
            let monotonic = Duration::from_secs(60 * minutes);
            let wall = moment() + TimeDelta::from_std(monotonic).expect("minutes") + skew;
            assert_eq!(steady.jumped(wall, monotonic), want, "{name}");
        }
    }
}
