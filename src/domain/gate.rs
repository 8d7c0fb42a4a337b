//! Whether a key may be used at all: stops after the first refusal, then asks again gently.
//!
//! One gate stands before each account (is the key itself accepted?) and one before the detail calls of each scope
//! (does the key have the permission?). A gate begins unproven: the first call goes alone, so that twenty regions do
//! not burn a bad key twenty times; some clouds lock a key after five refusals.

use std::time::Duration;

/// Wait after the first refusal; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait between two probes.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Calls that may find out together once a first one got no answer: an account whose network hangs must not be asked
/// one scope after the other, and a key that turns out to be bad must not be used often either.
const TOGETHER: u32 = 4;

/// The gate. Times are points on the daemon's timeline (time since start).
#[derive(Debug, Clone, Default)]
pub struct Gate {
    state: State,
    refusals: u32,
    /// Calls under way that find out.
    probes: u32,
    /// When it was closed last.
    refused_at: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    /// Nobody knows yet; the first call finds out.
    #[default]
    Unproven,
    /// Nobody knows yet, and a call that should have found out got no answer.
    Silent,
    /// Accepted.
    Open,
    /// Refused; the next probe may go at this time.
    Closed(Duration),
}

/// The answer to "may I call now?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Not before this point in time.
    Wait(Duration),
    /// Somebody else is finding out; ask again when that is done.
    Probing,
}

impl Gate {
    /// A gate that stands open until the first refusal.
    pub fn open() -> Self {
        Self { state: State::Open, ..Self::default() }
    }

    /// Asks, and takes the place of a probe where one is free.
    pub fn admit(&mut self, now: Duration) -> Admission {
        let places = match self.state {
            State::Open => return Admission::Go,
            State::Closed(until) if now < until => return Admission::Wait(until),
            State::Closed(_) | State::Unproven => 1,
            State::Silent => TOGETHER,
        };
        if self.probes >= places {
            return Admission::Probing;
        }
        self.probes += 1;
        Admission::Go
    }

    /// The key was accepted by a call that was admitted at `admitted`. Returns whether it had been refused before.
    pub fn accepted(&mut self, admitted: Duration) -> bool {
        if self.is_older_than_refusal(admitted) {
            return false;
        }
        self.state = State::Open;
        self.probes = 0;
        std::mem::take(&mut self.refusals) > 0
    }

    /// The key was refused to a call that was admitted at `admitted`. Calls that were under way together are refused
    /// together, and only the first of them counts.
    pub fn refused(&mut self, admitted: Duration, now: Duration) {
        if self.is_older_than_refusal(admitted) {
            return;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.refusals.min(10)).min(LONGEST_WAIT);
        self.refusals = self.refusals.saturating_add(1);
        self.probes = 0;
        self.refused_at = Some(now);
        self.state = State::Closed(now + wait);
    }

    /// Until when it stays closed.
    pub fn closed_until(&self) -> Option<Duration> {
        if let State::Closed(until) = self.state { Some(until) } else { None }
    }

    fn is_older_than_refusal(&self, admitted: Duration) -> bool {
        matches!(self.state, State::Closed(_)) && self.refused_at.is_some_and(|refused| admitted < refused)
    }

    /// A call that was admitted at `admitted` ended without telling anything about the key (no answer came).
    pub fn undecided(&mut self, admitted: Duration, now: Duration) {
        if self.is_older_than_refusal(admitted) {
            return;
        }
        self.probes = self.probes.saturating_sub(1);
        self.state = match self.state {
            State::Unproven => State::Silent,
            State::Closed(until) => State::Closed(until.max(now + FIRST_WAIT)),
            State::Silent | State::Open => return,
        };
    }

    /// A call that was admitted was not made after all.
    pub fn given_back(&mut self) {
        self.probes = self.probes.saturating_sub(1);
    }

    /// Refused at the last word.
    pub fn is_closed(&self) -> bool {
        self.refusals > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_call_goes_alone() {
        let mut gate = Gate::default();
        assert_eq!(gate.admit(at(0)), Admission::Go);
        assert_eq!(gate.admit(at(0)), Admission::Probing);
        gate.accepted(at(0));
        assert_eq!([gate.admit(at(1)), gate.admit(at(1))], [Admission::Go; 2]);
    }

    #[test]
    fn an_unanswered_first_call_lets_the_next_one_try() {
        let mut gate = Gate::default();
        gate.admit(at(0));
        gate.undecided(at(0), at(1));
        assert_eq!(gate.admit(at(1)), Admission::Go);
        assert_eq!(gate.admit(at(1)), Admission::Go, "silence is tried by a few together");
    }

    #[test]
    fn a_place_that_was_not_used_is_free_again() {
        let mut gate = Gate::default();
        gate.admit(at(0));
        gate.given_back();
        assert_eq!(gate.admit(at(0)), Admission::Go);
    }

    #[test]
    fn a_refused_key_is_tried_at_most_five_times_in_any_minute() {
        let mut gate = Gate::default();
        let mut tries = Vec::new();
        for second in 0..3600 {
            if gate.admit(at(second)) == Admission::Go {
                tries.push(second);
                gate.refused(at(second), at(second));
            }
        }
        let busiest =
            tries.iter().map(|start| tries.iter().filter(|t| (*start..start + 60).contains(t)).count()).max();
        assert_eq!(busiest, Some(3), "{tries:?}");
        assert!(tries.windows(2).all(|pair| pair[1] - pair[0] <= 300), "it never gives up: {tries:?}");
    }

    #[test]
    fn recovery_is_told_once_and_opens_for_all() {
        let mut gate = Gate::open();
        gate.refused(at(0), at(0));
        assert!(gate.is_closed());
        assert_eq!(gate.admit(at(3)), Admission::Wait(at(15)));
        assert_eq!(gate.admit(at(15)), Admission::Go);
        assert_eq!(gate.admit(at(15)), Admission::Probing);
        assert!(gate.accepted(at(15)));
        assert!(!gate.accepted(at(15)));
        assert!(!gate.is_closed());
    }

    #[test]
    fn calls_that_were_under_way_at_the_refusal_neither_close_nor_open_it() {
        let mut gate = Gate::open();
        gate.refused(at(1), at(2));
        for _ in 0..20 {
            gate.refused(at(1), at(3));
        }
        assert_eq!(gate.closed_until(), Some(at(17)), "one refusal, one wait");
        assert!(!gate.accepted(at(1)));
        assert!(gate.is_closed());
    }

    #[test]
    fn a_probe_without_an_answer_waits_again() {
        let mut gate = Gate::open();
        gate.refused(at(0), at(0));
        gate.admit(at(15));
        gate.undecided(at(15), at(16));
        assert_eq!(gate.admit(at(17)), Admission::Wait(at(31)));
    }
}
