//! For each channel that is told the present state: tells it every minute, and at once when something changed.
//!
//! It needs neither the clouds nor the store: what was published last is told again while both are away, so that an
//! outage over there does not look like good news. So Alertmanager's watchdog goes on where the heartbeat stops: it says
//! that this way works, and this way does not depend on what the heartbeat waits for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::chance::chance;
use super::context::{Context, Line};
use super::outbox::Away;
use super::pace::Pace;
use super::watch::States;
use super::wellbeing;
use crate::domain::alert::delivery::later;
use crate::domain::alert::standing::State;
use crate::domain::alert::steady::{BELIEVED_AFTER, Steady};
use crate::notifier::{Outcome, Refusal, Replica};
use crate::shutdown::Shutdown;

/// How soon the same is told again.
pub const RESEND: Duration = Duration::from_mins(1);
/// By how much that varies, so that several daemons do not speak at once.
const JITTER: f64 = 0.1;

/// Tells one channel.
pub(super) struct Teller {
    pub(super) context: Arc<Context>,
    pub(super) line: Arc<Line>,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) pace: Pace,
    pub(super) states: watch::Receiver<Arc<States>>,
    pub(super) told: Told,
}

/// What was told last, and what the store knows of the channel.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: Option<State>,
    health: wellbeing::Saved,
    dead: Dead,
    /// By a clock that jumped a moment ago, everything would be over or begun.
    steady: Steady,
}

impl Teller {
    /// Tells until asked to stop.
    pub(super) async fn run(mut self, stop: Shutdown) {
        let mut again_at = Instant::now();
        while !stop.is_requested() {
            if self.clock_jumped() {
                tokio::select! {
                    () = stop.requested() => return,
                    () = tokio::time::sleep(BELIEVED_AFTER) => continue,
                }
            }
            let state = self.states.borrow_and_update().get(self.line.name()).cloned();
            let due = Instant::now() >= again_at || self.line.take_probe();
            if let Some(state) = state.filter(|state| due || self.is_news(state)) {
                if !self.pace.take(&stop).await {
                    return;
                }
                self.tell(state).await;
                again_at = Instant::now() + RESEND.mul_f64(1.0 + JITTER * (2.0 * chance() - 1.0));
            }
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep_until(again_at.max(Instant::now() + Duration::from_millis(100))) => {}
                () = self.line.wake.notified() => {}
                () = changed(&mut self.states) => {}
            }
        }
    }

    fn clock_jumped(&mut self) -> bool {
        let clock = &self.context.clock;
        self.told.steady.jumped(clock.now(), clock.monotonic()).is_some()
    }

    /// Whether it says something else than the one told last.
    fn is_news(&self, state: &State) -> bool {
        self.told.state.as_ref().is_none_or(|told| !told.says_the_same(state))
    }

    async fn tell(&mut self, mut state: State) {
        state.now = self.context.now();
        let setting = self.context.setting(&self.line.channel, &|_| None);
        let outcome = self.replica.replicate(&state, &setting, RESEND).await;
        self.told.state = Some(state);
        // while nobody takes it, the channel itself fails
        let down = if let Outcome::Delivered(receipt) = &outcome { &receipt.notes[..] } else { &[] };
        self.line.note_down(down);
        self.note(&outcome);
        if let Outcome::Delivered(receipt) = &outcome {
            let channel = self.line.name();
            let (new, back) = self.told.dead.note(&receipt.notes);
            for (place, error) in new {
                tracing::warn!(
                    channel,
                    place,
                    error,
                    "one of several places does not take the state; others do"
                );
            }
            for place in back {
                tracing::info!(channel, place, "takes the state again");
            }
        }
        let kept = self.told.health.keep(&self.context, &self.line).await;
        if kept == Err(Away) {
            tracing::debug!(channel = self.line.name(), "its health is not written down at the moment");
        }
    }

    fn note(&self, outcome: &Outcome) {
        let (name, now) = (self.line.name(), self.context.now());
        self.context.telemetry.notification(name);
        let (trouble, barred) = match outcome {
            Outcome::Delivered(_) => {
                self.line.edit_health(|health| health.delivered(0, now));
                return self.context.changed.notify_one();
            }
            Outcome::Refused { what: Refusal::Credentials | Refusal::Target | Refusal::Gone, trouble } => {
                (trouble, Some(later(now, RESEND)))
            }
            // the next state may have a form that is accepted
            Outcome::Retry { trouble, .. } | Outcome::Refused { trouble, .. } => (trouble, None),
        };
        self.context.telemetry.notification_failed(name, trouble.reason);
        let error = &*trouble.text;
        tracing::warn!(channel = name, error, "the state could not be told; it is told again in a minute");
        self.line.edit_health(|health| health.failed(error, barred, now));
    }
}

/// The places that did not take the last state although others did. One that takes it suffices, and so nothing else would
/// tell that another is dead.
#[derive(Debug, Default)]
struct Dead(BTreeSet<String>);

impl Dead {
    /// Takes in who did not take it now. Returns what is new: who does not any more, with the reason, and who does again.
    fn note<'n>(&mut self, missed_by: &'n [(String, String)]) -> (Vec<&'n (String, String)>, Vec<String>) {
        let now: BTreeSet<String> = missed_by.iter().map(|(place, _)| place.clone()).collect();
        let new = missed_by.iter().filter(|(place, _)| !self.0.contains(place)).collect();
        let back = self.0.difference(&now).cloned().collect();
        self.0 = now;
        (new, back)
    }
}

/// Never ends once nobody publishes states any more.
async fn changed(states: &mut watch::Receiver<Arc<States>>) {
    if states.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_dead_is_told_once_and_so_is_its_return() {
        let missed = |places: &[&str]| {
            let by = places.iter().map(|place| ((*place).to_owned(), "connection refused".to_owned()));
            by.collect::<Vec<_>>()
        };
        let mut dead = Dead::default();
        for (name, by, new, back) in [
            ("all take it", &[][..], &[][..], &[][..]),
            ("one does not", &["b"], &["b"], &[]),
            ("still", &["b"], &[], &[]),
            ("another one, too", &["a", "b"], &["a"], &[]),
            ("the first is back", &["a"], &[], &["b"]),
            ("all are", &[], &[], &["a"]),
        ] {
            let by = missed(by);
            let (newly, returned) = dead.note(&by);
            let newly: Vec<_> = newly.iter().map(|(place, _)| place.as_str()).collect();
            assert_eq!(
                (newly, returned),
                (new.to_vec(), back.iter().map(ToString::to_string).collect()),
                "{name}"
            );
        }
    }
}
