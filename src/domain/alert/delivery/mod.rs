//! What to do with a message after an attempt to say it, and how a message that waited is brought up to date.
//!
//! Pure: the moment and the throw of the dice are arguments. The courier acts on the [`Step`], the store remembers it.

pub mod bucket;
pub mod current;
pub mod fold;
pub mod health;
#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The first wait after a failure, at most; each further one is three times as long.
pub const FIRST_WAIT: Duration = Duration::from_secs(5);
/// No wait of ours is longer.
pub const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// Every wait is within these, whatever the other side asks for.
pub const LIMITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(1)];
/// After that long a message is given up.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(72);
/// But not before it was tried so often: the daemon may have been off for days.
pub const LEAST_ATTEMPTS: u32 = 5;
/// A channel that refuses us is tried again this often.
pub const PROBE_EVERY: TimeDelta = TimeDelta::minutes(30);

/// No message is put off for longer, all waits together. One that is was written with a clock that went wrong.
pub const PUT_OFF_AT_MOST: TimeDelta = TimeDelta::minutes(65);
/// After so many dead letters in a row it is the channel that refuses, and not the letters that are wrong.
pub const DEAD_IN_A_ROW: u32 = 3;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The other side has it.
    Delivered,
    /// It may succeed later; the other side asked for this much time.
    Failed {
        /// Not before; `None`: it did not say.
        after: Option<Duration>,
    },
    /// The form of this message was refused; plain text was not tried yet.
    Unfit,
    /// So was plain text, or there is none.
    Hopeless,
    /// We are refused, or the place is: no message would fare better.
    Barred,
    /// The place is, for good.
    Gone,
}

/// What was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many, this one among them.
    pub attempts: u32,
    /// Since when the channel could have had it.
    pub since: DateTime<Utc>,
    /// Letters of the channel that were refused for good since it delivered last.
    pub dead_in_a_row: u32,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing more.
    Done,
    /// The same again, not before then.
    Again(DateTime<Utc>),
    /// At once, once, as plain text.
    Plain,
    /// Put it with the dead letters.
    GiveUp,
    /// Keep it; nothing is sent through the channel before then.
    Pause(DateTime<Utc>),
    /// Keep it; nothing is sent through the channel before its settings are read again, or a person wants it tried.
    Stop,
}

/// What to do after an attempt. `chance` is a number from 0 to 1, thrown anew each time.
pub fn after(attempt: Attempt, tries: &Tries, now: DateTime<Utc>, chance: f64) -> Step {
    match attempt {
        Attempt::Delivered => Step::Done,
        Attempt::Unfit => Step::Plain,
        // nor for ever: one bad letter must not block those behind it
        Attempt::Hopeless if tries.dead_in_a_row >= DEAD_IN_A_ROW && tries.attempts < LEAST_ATTEMPTS => {
            Step::Pause(now + PROBE_EVERY)
        }
        Attempt::Hopeless => Step::GiveUp,
        Attempt::Barred => Step::Pause(now + PROBE_EVERY),
        Attempt::Gone => Step::Stop,
        Attempt::Failed { .. } if is_over(tries, now) => Step::GiveUp,
        Attempt::Failed { after } => {
            let wait = wait(tries.attempts.saturating_sub(1), after, chance);
            Step::Again(later(now, wait))
        }
    }
}

/// How long to wait after so many failures before this one: a random part of 5 s · 3ⁿ, at most 15 min ("full jitter"),
/// or what the other side asked for if that is longer.
pub fn wait(failures_before: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let most = 3_u32.checked_pow(failures_before).and_then(|factor| FIRST_WAIT.checked_mul(factor));
    let most = most.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
    let [least, longest] = LIMITS;
    most.mul_f64(chance.clamp(0.0, 1.0)).max(asked.unwrap_or_default()).clamp(least, longest)
}

/// A moment that much later.
pub fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn is_over(tries: &Tries, now: DateTime<Utc>) -> bool {
    tries.attempts >= LEAST_ATTEMPTS && now - tries.since >= GIVE_UP_AFTER
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::testing::moment;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn each_end_of_an_attempt_has_its_step() {
        let failed = |after| Attempt::Failed { after };
        let at = |seconds| Step::Again(moment() + TimeDelta::seconds(seconds));
        for (name, attempt, attempts, hours, chance, want) in [
            ("arrived", Attempt::Delivered, 1, 0, 1.0, Step::Done),
            ("arrived late", Attempt::Delivered, 99, 100, 1.0, Step::Done),
            ("first failure", failed(None), 1, 0, 1.0, at(5)),
            ("second failure", failed(None), 2, 0, 1.0, at(15)),
            ("fifth failure", failed(None), 5, 0, 1.0, at(405)),
            ("sixth failure, capped", failed(None), 6, 0, 1.0, at(900)),
            ("many failures, capped", failed(None), 4_000_000_000, 0, 1.0, at(900)),
            ("half of it", failed(None), 2, 0, 0.5, at(7)),
            ("never at once", failed(None), 9, 0, 0.0, at(1)),
            ("as long as was asked for", failed(Some(seconds(600))), 1, 0, 1.0, at(600)),
            ("longer than was asked for", failed(Some(seconds(2))), 2, 0, 1.0, at(15)),
            ("asked for a day", failed(Some(seconds(86_400))), 1, 0, 1.0, at(3600)),
            ("asked for nothing", failed(Some(seconds(0))), 1, 0, 0.0, at(1)),
            ("just before 72 hours", failed(None), 300, 71, 1.0, at(900)),
            ("72 hours", failed(None), 300, 72, 1.0, Step::GiveUp),
            ("the daemon was off for a week", failed(None), 4, 168, 1.0, at(135)),
            ("not understood", Attempt::Unfit, 1, 0, 1.0, Step::Plain),
            ("plain text not understood", Attempt::Hopeless, 1, 0, 1.0, Step::GiveUp),
            ("not let in", Attempt::Barred, 1, 0, 1.0, Step::Pause(moment() + TimeDelta::minutes(30))),
            (
                "not let in for days",
                Attempt::Barred,
                500,
                500,
                1.0,
                Step::Pause(moment() + TimeDelta::minutes(30)),
            ),
        ] {
            let tries = Tries { attempts, since: moment() - TimeDelta::hours(hours), dead_in_a_row: 0 };
            let got = match after(attempt, &tries, moment(), chance) {
                Step::Again(at) => Step::Again(at - TimeDelta::milliseconds(at.timestamp_millis() % 1000)),
                other => other,
            };
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_channel_that_refuses_letter_after_letter_is_paused_instead() {
        let pause = Step::Pause(moment() + PROBE_EVERY);
        for (name, dead_in_a_row, attempts, want) in [
            ("the third in a row", 2, 1, Step::GiveUp),
            ("the fourth is kept", 3, 1, pause),
            ("still", 9, 4, pause),
            ("but not for ever", 3, 5, Step::GiveUp),
        ] {
            let tries = Tries { attempts, since: moment(), dead_in_a_row };
            assert_eq!(after(Attempt::Hopeless, &tries, moment(), 1.0), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_is_within_its_limits_and_never_shorter_than_asked_for(
            failures in 0_u32.., asked in proptest::option::of(0_u64..200_000), chance in -1.0_f64..2.0,
        ) {
            let asked = asked.map(seconds);
            let wait = wait(failures, asked, chance);
            prop_assert!(wait >= LIMITS[0] && wait <= LIMITS[1]);
            prop_assert!(asked.is_none_or(|asked| wait >= asked.min(LIMITS[1])));
            prop_assert!(asked.is_some() || wait <= LONGEST_WAIT);
        }

        #[test]
        fn more_failures_never_shorten_the_wait(failures in 0_u32..40, chance in 0.0_f64..=1.0) {
            prop_assert!(wait(failures, None, chance) <= wait(failures + 1, None, chance));
        }

        #[test]
        fn what_keeps_failing_is_given_up_between_72_and_73_hours(seed in 0.01_f64..=1.0) {
            let (mut now, mut attempts) = (moment(), 0);
            let ended = loop {
                attempts += 1;
                let tries = Tries { attempts, since: moment(), dead_in_a_row: 0 };
                match after(Attempt::Failed { after: None }, &tries, now, seed) {
                    Step::Again(at) => now = at,
                    step => break step,
                }
            };
            prop_assert_eq!(ended, Step::GiveUp);
            prop_assert!(now - moment() >= GIVE_UP_AFTER && now - moment() < TimeDelta::hours(73));
        }
    }
}
