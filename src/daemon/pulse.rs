//! Signs of life of the loops that matter: each stamps its pulse at every turn, and the service manager is told that all
//! is well only while every stamp is young. A bare timer would go on beating over a loop that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// No loop is expected to turn.
const AT_REST: u64 = 0;

/// The pulse of one loop. Clones are the same pulse.
#[derive(Debug, Clone)]
pub struct Pulse {
    began: Instant,
    /// Milliseconds since `began`, plus one.
    last: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), last: Arc::new(AtomicU64::new(AT_REST)) }
    }
}

impl Pulse {
    /// The loop turns.
    pub fn beat(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.store(passed + 1, Ordering::Relaxed);
    }

    /// There is no such loop for now.
    pub fn rest(&self) {
        self.last.store(AT_REST, Ordering::Relaxed);
    }

    /// Whether it has beaten within `limit`, or rests.
    pub fn is_well(&self, limit: Duration) -> bool {
        match self.last.load(Ordering::Relaxed) {
            AT_REST => true,
            last => self.began.elapsed().saturating_sub(Duration::from_millis(last - 1)) <= limit,
        }
    }
}

/// Of the loops without which the daemon is worth nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulses {
    /// Turns every five seconds at least, whatever the clouds do.
    pub(super) poll: Pulse,
    /// Turns every fifteen seconds at least; a store that hangs holds a turn up for some time more.
    pub(super) alerts: Pulse,
    /// Turns every twenty seconds at least; the same.
    pub(super) renewals: Pulse,
}

/// A poll loop that does not turn for so long stands still.
const POLL: Duration = Duration::from_secs(30);
/// The same for loops that use the store in every turn.
const WITH_STORE: Duration = Duration::from_mins(5);

impl Pulses {
    /// The loop that stands still, if one does.
    pub(super) fn standing_still(&self) -> Option<&'static str> {
        let loops = [
            ("the poll loop", &self.poll, POLL),
            ("the alert loop", &self.alerts, WITH_STORE),
            ("the renewal loop", &self.renewals, WITH_STORE),
        ];
        loops.into_iter().find(|(_, pulse, limit)| !pulse.is_well(*limit)).map(|(name, ..)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_named_and_one_that_rests_is_not() {
        let pulses = Pulses::default();
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        pass(3600).await;
        assert_eq!(pulses.standing_still(), None, "no loop was begun yet");
        pulses.poll.beat();
        pulses.renewals.beat();
        pass(30).await;
        assert_eq!(pulses.standing_still(), None, "30 s are no standstill");
        pass(1).await;
        assert_eq!(pulses.standing_still(), Some("the poll loop"));
        pass(3600).await;
        pulses.poll.beat();
        assert_eq!(pulses.standing_still(), Some("the renewal loop"), "the poll loop turns again");
        pulses.renewals.rest();
        assert_eq!(pulses.standing_still(), None);
    }
}
