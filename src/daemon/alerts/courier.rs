//! One courier for each channel that takes messages: fetches what is due from the outbox, says it, and writes down what
//! became of it. One message at a time; couriers never wait for each other.
//!
//! A message is `sending` from the moment it is fetched. Whatever happens then (a crash, a stop, a store that is away),
//! it is either settled or sent again with the same id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::attempt::{Said, Saying};
use super::chance::{chance, event_id};
use super::context::{Context, Line};
use super::outbox::{Away, Outbox};
use super::pace::Pace;
use super::wellbeing;
use crate::domain::alert::delivery::current::certificates;
use crate::domain::alert::delivery::fold::{BACKLOG, fold};
use crate::domain::alert::delivery::{Attempt, PROBE_EVERY, Step, Tries, after, wait};
use crate::domain::alert::outbox::{Row, Settled};
use crate::domain::alert::steady::{BELIEVED_AFTER, Steady};
use crate::notifier::{Messenger, Receipt, Trouble};
use crate::shutdown::Shutdown;

/// The clock of the machine may jump: what is due is looked up again at least this often.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// A store that is away is asked again after this, then after twice as long, and so on.
const RETRY: Duration = Duration::from_secs(1);
/// The longest wait for a store.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Carries the messages of one channel.
pub(super) struct Courier {
    pub(super) context: Arc<Context>,
    pub(super) line: Arc<Line>,
    pub(super) messenger: Arc<dyn Messenger>,
    pub(super) pace: Pace,
    /// Nothing is fetched before what was being sent at the last stop is queued again.
    pub(super) ready: watch::Receiver<bool>,
    pub(super) state: State,
}

/// What a courier has in its head.
#[derive(Default)]
pub(super) struct State {
    health: wellbeing::Saved,
    /// After a failure nothing is tried before then.
    quiet_until: Option<Instant>,
    /// What became of a message, while it could not be written down.
    unwritten: Option<(Box<str>, Settled)>,
    /// What arrived parts of a message left behind, while the message is not through.
    left_behind: BTreeMap<Box<str>, Vec<(String, String)>>,
    /// A message may be `sending` that nobody sends: an answer of the store was lost.
    in_doubt: bool,
    /// Tries of the store in a row that failed.
    away: u32,
    /// What would be said by a clock that jumped a moment ago may not be true.
    steady: Steady,
    /// Until then it is not believed.
    unsteady_until: Option<Instant>,
}

/// When to go on.
enum Next {
    Now,
    At(Instant),
}

impl Courier {
    /// Carries messages until asked to stop.
    pub(super) async fn run(mut self, stop: Shutdown) {
        tokio::select! {
            () = stop.requested() => return,
            ready = self.ready.wait_for(|ready| *ready) => if ready.is_err() {
                return;
            },
        }
        while !stop.is_requested() {
            let at = match self.step(&stop).await {
                Ok(Next::Now) => {
                    self.state.away = 0;
                    continue;
                }
                Ok(Next::At(at)) => {
                    self.state.away = 0;
                    at.min(Instant::now() + LOOK_AGAIN)
                }
                Err(Away) => self.away_until(),
            };
            let woken = async {
                self.line.wake.notified().await;
                // a store that is away does not come back by being asked more often
                tokio::time::sleep_until(if self.state.away > 0 { at } else { Instant::now() }).await;
            };
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep_until(at) => {}
                () = woken => {}
            }
        }
    }

    fn away_until(&mut self) -> Instant {
        self.state.in_doubt = true;
        self.state.away = self.state.away.saturating_add(1);
        let wait = RETRY.saturating_mul(1 << self.state.away.saturating_sub(1).min(10)).min(LONGEST_RETRY);
        Instant::now() + wait.mul_f64(0.5 + 0.5 * chance())
    }

    /// Everything that can be done now, or one message.
    async fn step(&mut self, stop: &Shutdown) -> Result<Next, Away> {
        self.write_down().await?;
        self.settle_doubts().await?;
        self.state.health.keep(&self.context, &self.line).await?;
        self.probe().await?;
        self.look_at_clocks();
        if let Some(at) = self.held() {
            return Ok(Next::At(at));
        }
        self.draw_together().await?;
        let (now, name) = (self.context.now(), self.line.name());
        match self.outbox().claim(name, now).await? {
            Some(row) => self.deliver(row, stop).await.map(|()| Next::Now),
            None => self.idle().await,
        }
    }

    async fn idle(&self) -> Result<Next, Away> {
        let due = self.outbox().next_due(self.line.name()).await?;
        let wait = due.and_then(|due| (due - self.context.now()).to_std().ok());
        Ok(match (due, wait) {
            (None, _) => Next::At(Instant::now() + LOOK_AGAIN),
            // due by now, and not given to us a moment ago
            (Some(_), None) => Next::At(Instant::now() + Duration::from_millis(100)),
            (Some(_), Some(wait)) => {
                Next::At(Instant::now() + wait.min(LOOK_AGAIN) + Duration::from_millis(1))
            }
        })
    }

    /// Until when nothing may be sent.
    fn held(&self) -> Option<Instant> {
        let now = Instant::now();
        self.line.edit_health(|health| health.shorten_pause(self.context.now()));
        let paused =
            self.line.health().paused_until.and_then(|until| (until - self.context.now()).to_std().ok());
        let paused = paused.filter(|wait| !wait.is_zero()).map(|wait| now + wait.min(LOOK_AGAIN));
        let gone = self.line.health().gone.then(|| now + LOOK_AGAIN);
        let paced = Some(self.pace.wait()).filter(|wait| !wait.is_zero()).map(|wait| now + wait);
        let unsteady = self.state.unsteady_until;
        [paused, gone, paced, self.state.quiet_until, unsteady]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .max()
    }

    fn look_at_clocks(&mut self) {
        let clock = &self.context.clock;
        if self.state.steady.jumped(clock.now(), clock.monotonic()).is_some() {
            self.state.unsteady_until = Some(Instant::now() + BELIEVED_AFTER);
        }
    }

    /// A person, or a configuration that was read anew, wants it tried now.
    async fn probe(&mut self) -> Result<(), Away> {
        if !self.line.take_probe() {
            return Ok(());
        }
        self.state.quiet_until = None;
        self.line.edit_health(|health| health.let_in(self.context.now()));
        self.outbox().postpone(self.line.name(), self.context.now()).await
    }

    /// After an outage nobody wants to read everything one by one.
    async fn draw_together(&mut self) -> Result<(), Away> {
        if !self.line.channel.kind.is_chat() {
            return Ok(());
        }
        let now = self.context.now();
        let rows = self.outbox().queued(self.line.name(), now).await?;
        let Some(folded) = fold(&rows, || event_id(now), now) else { return Ok(()) };
        let (name, messages) = (self.line.name(), folded.instead_of.len());
        if folded.message.items.is_empty() {
            for id in &folded.instead_of {
                self.outbox().settle(id, &Settled::Superseded, now).await?;
            }
        } else {
            self.outbox().collapse(name, &folded.message, &folded.instead_of, now).await?;
            self.line.edit_health(|health| health.folded += messages.saturating_sub(1));
        }
        tracing::info!(
            channel = name,
            messages,
            limit = BACKLOG,
            "waiting messages were drawn together into one"
        );
        self.context.changed.notify_one();
        Ok(())
    }

    async fn deliver(&mut self, row: Row, stop: &Shutdown) -> Result<(), Away> {
        let id = row.message.id.clone();
        let believed = self.outbox().believed(&certificates(&row.message)).await?;
        let current = self.context.current(row.message.clone(), row.parts_done > 0, &believed);
        let Some(message) = current else {
            tracing::info!(channel = self.line.name(), id = &*id, "events have overtaken a message");
            return self.settle(id, Settled::Superseded).await;
        };
        let notes = self.outbox().notes(self.line.name()).await?;
        let saying = Saying {
            context: &self.context,
            channel: &self.line.channel,
            messenger: &self.messenger,
            pace: &self.pace,
            recorded: true,
            stop,
        };
        let done = usize::try_from(row.parts_done).unwrap_or(usize::MAX);
        let note = |key: &str| notes.get(key).cloned();
        match saying.say(&message, done, &note).await {
            Said::Stopped => Ok(()),
            Said::Everything(receipt) => self.arrived(&row, receipt).await,
            Said::Trouble(attempt, trouble, notes) => {
                if !notes.is_empty() {
                    self.state.left_behind.entry(id).or_default().extend(notes);
                }
                self.failed(&row, attempt, trouble).await
            }
        }
    }

    async fn arrived(&mut self, row: &Row, receipt: Receipt) -> Result<(), Away> {
        let (id, name, now) = (&row.message.id, self.line.name(), self.context.now());
        self.context.telemetry.notification(name);
        tracing::info!(channel = name, id = &**id, attempts = row.attempts, "delivered");
        let was_ill = self.line.health().since.is_some();
        self.state.quiet_until = None;
        let mut notes = self.state.left_behind.remove(id).unwrap_or_default();
        notes.extend(receipt.notes);
        // only those who were told that it fails hear how much came late
        let waiting =
            if was_ill { self.outbox().queued(name, now).await.map_or(0, |rows| rows.len()) } else { 0 };
        self.line.edit_health(|health| health.delivered(waiting, now));
        self.settle(id.clone(), Settled::Delivered { notes }).await?;
        if was_ill {
            // what waited for the channel waits no longer
            self.outbox().postpone(self.line.name(), now).await?;
        }
        self.state.health.keep(&self.context, &self.line).await
    }

    async fn failed(&mut self, row: &Row, attempt: Attempt, trouble: Trouble) -> Result<(), Away> {
        let (name, now) = (self.line.name(), self.context.now());
        self.context.telemetry.notification(name);
        self.context.telemetry.notification_failed(name, trouble.reason);
        let health = self.line.health();
        let since = health.released_at.map_or(row.message.at, |released| released.max(row.message.at));
        let tries = Tries { attempts: row.attempts, since, dead_in_a_row: health.dead_in_a_row };
        let step = after(attempt, &tries, now, chance());
        let error: Box<str> = trouble.text.as_str().into();
        let unanswered = trouble.unanswered && matches!(attempt, Attempt::Failed { .. });
        let id = &*row.message.id;
        if let Attempt::Failed { after } = attempt {
            self.state.quiet_until = Some(Instant::now() + wait(health.failures, after, chance()));
            self.line.edit_health(|health| health.failed(&error, None, now));
        }
        let settled = match step {
            Step::Again(next_at) => {
                tracing::warn!(channel = name, id, %error, attempts = row.attempts, %next_at, "not delivered");
                Settled::Again { next_at, error, unanswered }
            }
            Step::Pause(until) => {
                tracing::error!(channel = name, id, %error, %until, "refused: the channel is paused");
                self.line.edit_health(|health| health.failed(&error, Some(until), now));
                Settled::Again { next_at: until, error, unanswered }
            }
            Step::Stop => {
                tracing::error!(channel = name, id, %error, "gone for good: the channel waits for a reload");
                let error =
                    format!("{error}: nothing is sent until a reload, a restart or a test").into_boxed_str();
                self.line.edit_health(|health| health.ended(&error, now));
                Settled::Again { next_at: now + PROBE_EVERY, error, unanswered }
            }
            Step::GiveUp | Step::Plain | Step::Done => {
                tracing::error!(channel = name, id, %error, attempts = row.attempts, "given up");
                if attempt == Attempt::Hopeless {
                    self.line.edit_health(|health| health.refused(&error, now));
                }
                Settled::Dead { error, unanswered }
            }
        };
        if matches!(settled, Settled::Dead { .. }) {
            self.state.left_behind.remove(id);
        }
        self.settle(row.message.id.clone(), settled).await?;
        self.state.health.keep(&self.context, &self.line).await
    }

    async fn settle(&mut self, id: Box<str>, settled: Settled) -> Result<(), Away> {
        self.state.unwritten = Some((id, settled));
        self.write_down().await
    }

    /// What became of the last message is written down before anything else happens.
    async fn write_down(&mut self) -> Result<(), Away> {
        let Some((id, settled)) = &self.state.unwritten else { return Ok(()) };
        self.outbox().settle(id, settled, self.context.now()).await?;
        self.state.unwritten = None;
        self.context.changed.notify_one();
        Ok(())
    }

    async fn settle_doubts(&mut self) -> Result<(), Away> {
        if self.state.in_doubt {
            self.outbox().release(self.line.name(), self.context.now()).await?;
            self.state.in_doubt = false;
        }
        Ok(())
    }

    fn outbox(&self) -> &dyn Outbox {
        &*self.context.outbox
    }
}
