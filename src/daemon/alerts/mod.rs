//! Alerts: the watch loop has them decided (`domain::alert`) and writes them down in the store; from there one courier
//! for each channel takes them.
//!
//! Couriers know each other only through the outbox: a channel that hangs holds up nobody, and that it does is told
//! through the others. Channels that are told the present state (Alertmanager) need no outbox: `replica` tells them
//! again and again.

mod attempt;
mod chance;
mod channels;
mod context;
mod courier;
mod heartbeat;
mod heir;
mod layout;
mod monitor;
mod office;
mod outbox;
mod pace;
mod removed;
mod replica;
pub mod watch;
mod wellbeing;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch as value};
use tokio::task::JoinSet;

pub use chance::{chance, event_id, silence_id};
pub use channels::{Channel, ChannelError, build_channels, files, leaks, unused};
pub use context::Words;
pub use heartbeat::Heartbeat;
pub use heir::Estate;
pub use office::Office;
pub use replica::RESEND;

use super::accounts;
use super::pulse::Pulse;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::alert::decide::AccountWords;
use crate::domain::alert::routing::Routing;
use crate::domain::snapshot::Snapshot;
use crate::metrics::MetricsPage;
use crate::notifier::Sender;
use crate::shutdown::Shutdown;
use crate::store::Handle;
use crate::telemetry::Telemetry;
use crate::web::inside::RenewalOf;
use context::{Context, Line};
use courier::Courier;
use outbox::{Away, Outbox};
use pace::{Pace, Robots};
use removed::Removed;
use replica::Teller;
use watch::{Board, Rules, States, Watch};

/// A store that is away at the start is asked again this often whether something was being sent.
const RETURN_AGAIN: Duration = Duration::from_secs(2);

/// Everything that delivery is made of.
pub struct Parts {
    /// The channels, in the order of the configuration.
    pub channels: Vec<Channel>,
    /// The configured part of what messages say.
    pub words: Words,
    /// What the configuration says about alerts; its channels are filled in here.
    pub rules: Rules,
    /// The sign of life, where one is wanted.
    pub heartbeat: Option<Heartbeat>,
    /// What is known.
    pub snapshots: value::Receiver<Arc<Snapshot>>,
    /// Where messages are kept.
    pub store: Handle,
    /// The page that shows how channels are.
    pub metrics: Arc<MetricsPage>,
    /// Counts.
    pub telemetry: Arc<Telemetry>,
    /// The time.
    pub clock: Clock,
}

/// Delivery, ready to run.
pub struct Delivery {
    context: Arc<Context>,
    paces: Arc<[Pace]>,
    robots: Robots,
    states: value::Sender<Arc<States>>,
    heartbeat: Option<Heartbeat>,
    metrics: Arc<MetricsPage>,
    store: Handle,
    rules: value::Sender<Arc<Rules>>,
    board: value::Sender<Arc<Board>>,
    ask: Arc<Notify>,
    written: Arc<Notify>,
    renewals: Option<value::Receiver<Arc<crate::domain::renewal::board::Board>>>,
    renewal: RenewalOf,
    /// What to tell is decided here too, and not by a test.
    decides: bool,
    pulse: Pulse,
}

impl Delivery {
    /// Nothing runs yet, and every series of every channel exists.
    pub fn new(parts: Parts) -> Self {
        Self::after(parts, Estate::default())
    }

    /// The same in the place of one that has ended: what it knew goes on.
    pub fn after(parts: Parts, estate: Estate) -> Self {
        let outbox = Arc::new(parts.store.clone());
        Self { decides: true, ..Self::with_outbox(parts, outbox, estate) }
    }

    fn with_outbox(parts: Parts, outbox: Arc<dyn Outbox>, estate: Estate) -> Self {
        let Parts { channels, words, mut rules, heartbeat, snapshots, store, metrics, telemetry, clock } =
            parts;
        rules.routing.channels = channels.iter().map(Channel::rules).collect();
        let (paces, robots) = Pace::of_all(&channels, &clock, &estate.robots);
        let now = clock.now();
        let line = |channel: Channel| {
            let health = estate.health_of(&channel.name, now);
            Arc::new(Line::with_health(channel, health))
        };
        let lines: Vec<_> = channels.into_iter().map(line).collect();
        for line in &lines {
            telemetry.preset_channel(line.name());
        }
        let changed = Notify::new();
        let removed = Removed::default();
        let context =
            Arc::new(Context { words, snapshots, clock, telemetry, outbox, lines, removed, changed });
        if estate.is_empty() {
            metrics.show_channels(monitor::numbers(&context, &crate::store::Counts::new()));
        }
        let Estate { states, rules: shown, board, ask, written, .. } = estate;
        shown.send_replace(Arc::new(rules));
        Self {
            context,
            paces: paces.into(),
            robots,
            states,
            heartbeat,
            metrics,
            store,
            rules: shown,
            board,
            ask,
            written,
            renewals: None,
            renewal: Arc::new(watch::by_hand),
            decides: false,
            pulse: Pulse::default(),
        }
    }

    /// Each turn of the loop that decides is a beat of this pulse.
    pub fn beats(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// What goes on in the next one, once this one has ended.
    pub fn estate(&self) -> Estate {
        Estate::of(self)
    }

    /// What the configuration says, as the decision sees it.
    pub fn rules(&self) -> value::Receiver<Arc<Rules>> {
        self.rules.subscribe()
    }

    /// What was told to whom, and why not.
    pub fn board(&self) -> value::Receiver<Arc<Board>> {
        self.board.subscribe()
    }

    /// To be rung by those who changed a silence: the next evaluation comes at once.
    pub fn ask(&self) -> Arc<Notify> {
        Arc::clone(&self.ask)
    }

    /// To be rung by others who wrote messages down.
    pub fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// Has messages say what is known of renewals, and wait for the first plan.
    pub fn knows(&mut self, renewals: &super::renewal::Renewals) {
        self.renewals = Some(renewals.board());
        self.renewal = renewals.notes(Arc::new(watch::by_hand));
    }

    /// What messages say of the renewal of a certificate.
    pub fn renewal(&self) -> RenewalOf {
        Arc::clone(&self.renewal)
    }

    #[cfg(test)]
    fn states(&self) -> value::Sender<Arc<States>> {
        self.states.clone()
    }

    /// For those who write messages down, and for people.
    pub fn office(&self) -> Office {
        Office {
            context: Arc::clone(&self.context),
            paces: Arc::clone(&self.paces),
            states: self.states.subscribe(),
            store: self.store.clone(),
        }
    }

    /// Delivers until asked to stop. After that nothing new is begun, and what is under way is ended by the other side,
    /// or by whoever drops this.
    pub async fn run(self, stop: Shutdown) {
        let ready = value::Sender::new(false);
        let mut tasks = JoinSet::new();
        for (line, pace) in self.context.lines.iter().zip(self.paces.iter()) {
            let (context, line, pace) = (Arc::clone(&self.context), Arc::clone(line), pace.clone());
            match line.channel.sender.clone() {
                Sender::Messages(messenger) => {
                    let (ready, state) = (ready.subscribe(), courier::State::default());
                    let courier = Courier { context, line, messenger, pace, ready, state };
                    tasks.spawn(courier.run(stop.clone()));
                }
                Sender::State(replica) => {
                    let (states, told) = (self.states.subscribe(), replica::Told::default());
                    let teller = Teller { context, line, replica, pace, states, told };
                    tasks.spawn(teller.run(stop.clone()));
                }
            }
        }
        if self.decides {
            let written = self.written;
            tasks.spawn(wake_couriers(Arc::clone(&written), Arc::clone(&self.context), stop.clone()));
            let watch = Watch {
                snapshots: self.context.snapshots.clone(),
                rules: self.rules.subscribe(),
                store: Some(self.store.clone()),
                clock: self.context.clock.clone(),
                board: self.board.clone(),
                states: self.states.clone(),
                ask: Arc::clone(&self.ask),
                written,
                renewals: self.renewals,
                renewal: self.renewal,
                pulse: self.pulse,
            };
            tasks.spawn(watch.run(stop.clone()));
        }
        if let Some(heartbeat) = self.heartbeat {
            tasks.spawn(heartbeat.run(
                self.board.subscribe(),
                Arc::clone(&self.context.telemetry),
                stop.clone(),
            ));
        }
        tasks.spawn(monitor::run(Arc::clone(&self.context), self.metrics, stop.clone()));
        tasks.spawn(return_sending(self.context, ready, stop.clone()));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the delivery ended that must not end");
                return;
            }
        }
    }
}

/// What the decision sees of the configuration, but for the channels.
pub fn rules(config: &Config) -> Rules {
    let accounts: BTreeMap<_, _> = config
        .accounts
        .iter()
        .map(|account| {
            let label = |(key, value): (&String, &String)| (key.as_str().into(), value.as_str().into());
            let owner_tag = account.owner_tag.as_deref().map(Into::into);
            let labels = account.labels.iter().map(label).collect();
            let filtered_by = Some(accounts::filter(account).fingerprint());
            let words = AccountWords { labels, owner_tag, filtered_by };
            (account.name.as_str().into(), words)
        })
        .collect();
    let routing = Routing { channels: Vec::new(), routes: config.routes.clone() };
    Rules { accounts, alert: config.alert.clone(), poll: config.poll.clone(), routing }
}

/// Whatever was written down may be for any of them.
async fn wake_couriers(written: Arc<Notify>, context: Arc<Context>, stop: Shutdown) {
    loop {
        tokio::select! {
            () = stop.requested() => return,
            () = written.notified() => context.wake(|_| true),
        }
    }
}

/// Before anything is fetched: what was being sent when the daemon ended is queued again.
async fn return_sending(context: Arc<Context>, ready: value::Sender<bool>, stop: Shutdown) {
    loop {
        match context.outbox.return_sending(context.now()).await {
            Ok(0) => break,
            Ok(messages) => {
                tracing::info!(messages, "messages that were under way at the last stop are sent again");
                break;
            }
            Err(Away) => tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(RETURN_AGAIN) => {}
            },
        }
    }
    ready.send_replace(true);
    // couriers take the end of this side for the end of the daemon
    stop.requested().await;
}
