//! What carries one order of a person out where no daemon runs: its poll loop, its renewal loop and its store, without
//! ports, alerts and channels.
//!
//! The store stays locked from the beginning to the end, so neither a daemon nor another command of this kind works with
//! it meanwhile. Messages are written down in it as always; the daemon sends them. Whatever the process dies of, the next
//! one goes on from what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::poll::{Account, Mode, Poller};
use super::renewal::{Parts, Renewals};
use super::{DaemonError, alerts, build_accounts, draft};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::alert::board::Rules;
use crate::domain::difference::Difference;
use crate::domain::policy::{PollPolicy, RenewalMode, RenewalPolicy};
use crate::domain::renewal::attempt::Attempt;
use crate::domain::renewal::board::Board;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::http::Http;
use crate::metrics::MetricsPage;
use crate::shutdown::{Shutdown, Stop};
use crate::store::{self, Handle, Holder, Store, StoreError, Trouble};
use crate::telemetry::Telemetry;
use crate::web::inside::{Inside, Renewing};
use crate::web::view::{View, ViewSettings};
use crate::web::{self, AppState};

/// What is known in the end is waited for this long before it is kept.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// A store is not waited for longer when it closes.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// Why nothing can be ordered here.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The configuration wants no calls.
    #[error(
        "renewal mode is \"{0}\", which renews nothing: set `mode` in [renewal] to \"approve\" or \"auto\""
    )]
    Mode(&'static str),
    /// What is ordered could not be written down.
    #[error("nothing can be ordered without a store: set `url` in [store]")]
    NoStore,
    /// The address of the store is a secret that cannot be had.
    #[error("`store.url`: {0}")]
    Address(String),
    /// Somebody works with the store.
    #[error(
        "{place}: a daemon, or another `notafter renew`, works with this store{}; order it through that daemon (--socket PATH says where it \
         listens), or wait until it ended", .process.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The file.
        place: Box<str>,
        /// Its process id, as far as it can be told.
        process: Option<u32>,
    },
    /// Nobody can tell whether somebody works with the store.
    #[error(
        "{0}: of a store on a server nobody can tell whether a daemon works with it; start the daemon (`notafter run`) and order it there"
    )]
    Shared(Box<str>),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An account or a channel cannot be made.
    #[error(transparent)]
    Made(#[from] DaemonError),
}

/// A store that is locked, and what works with it; nothing was asked of a cloud.
pub struct Alone {
    accounts: Vec<Account>,
    poll: PollPolicy,
    policy: RenewalPolicy,
    rules: Rules,
    page: Option<String>,
    settings: ViewSettings,
    clock: Clock,
    telemetry: Arc<Telemetry>,
    store: Arc<Store>,
    attempts: Vec<Attempt>,
}

impl Alone {
    /// Opens the store as the daemon does, and keeps it locked. `env` answers for environment variables.
    ///
    /// # Errors
    /// Nothing may be renewed, or somebody else works with the store, or it cannot be used, or a daemon could not start
    /// with this configuration.
    pub async fn open(config: Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, AloneError> {
        if config.renewal.mode < RenewalMode::Approve {
            return Err(AloneError::Mode(config.renewal.mode.as_str()));
        }
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let http =
            Http::new(config.poll.timeout, config.poll.concurrency, clock.clone(), Arc::clone(&telemetry));
        let accounts = build_accounts(&config, &http, env).map_err(DaemonError::Accounts)?;
        let channels = alerts::build_channels(&config, env).map_err(DaemonError::Channels)?;
        let mut rules = alerts::rules(&config);
        rules.routing.channels = channels.iter().map(alerts::Channel::rules).collect();
        let store = open(&config, env).await?;
        let attempts = store.attempts(clock.now()).await?;
        Ok(Self {
            settings: draft::view_settings(&config),
            poll: config.poll,
            policy: config.renewal,
            page: config.web.external_url,
            store: Arc::new(store),
            accounts,
            rules,
            clock,
            telemetry,
            attempts,
        })
    }

    /// Attempts under way of resources with this id, or the one with this id: called by somebody who ended before the
    /// outcome was known.
    pub fn under_way(&self, id: &str) -> Vec<Box<str>> {
        let open = self.attempts.iter().filter(|attempt| attempt.state.is_open());
        let meant = open.filter(|attempt| *attempt.id == *id || *attempt.key.resource.resource_id == *id);
        meant.map(|attempt| attempt.id.clone()).collect()
    }

    /// Whether somebody is told of renewals, once a daemon runs.
    pub fn has_channels(&self) -> bool {
        !self.rules.routing.channels.is_empty()
    }

    /// Lists everything, looks at the resource with this id (or of the attempt with this id), and begins to plan. `None`:
    /// it was asked to stop before.
    pub async fn begin(self, id: &str, stop: &Shutdown) -> Option<Station> {
        let named = self.attempts.iter().find(|attempt| *attempt.id == *id);
        let id: Arc<str> = named.map_or(id, |attempt| &attempt.key.resource.resource_id).into();
        let known = self.first_round(&id, stop).await?;
        Some(Station::begin(self, id, known))
    }

    async fn first_round(&self, id: &Arc<str>, stop: &Shutdown) -> Option<Snapshot> {
        let mode = Mode::Once { only: Some(Arc::clone(id)) };
        let poller = Poller::new(
            self.accounts.clone(),
            self.poll.clone(),
            mode,
            self.clock.clone(),
            Arc::clone(&self.telemetry),
        );
        let seen = poller.snapshots();
        poller.run(stop.clone()).await;
        let known = Arc::clone(&seen.borrow());
        (!stop.is_requested()).then(|| (*known).clone())
    }
}

async fn open(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Store, AloneError> {
    let store = config.store.as_ref().ok_or(AloneError::NoStore)?;
    let url = store.address(env).map_err(|error| AloneError::Address(error.to_string()))?;
    let store = Store::open(url.expose()).await.map_err(|error| match error.trouble {
        Trouble::InUse { process } => AloneError::InUse { place: error.place, process },
        _ => AloneError::Store(error),
    })?;
    if store.is_ours_alone() {
        return Ok(store);
    }
    let place = store.place().into();
    close(&store).await;
    Err(AloneError::Shared(place))
}

/// A database that hangs is left to itself.
async fn close(store: &Store) {
    if tokio::time::timeout(CLOSE_LIMIT, store.close()).await.is_err() {
        tracing::warn!("the store did not close in time");
    }
}

/// Polls and renews until it is ended.
pub struct Station {
    routes: Router,
    board: watch::Receiver<Arc<Board>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Of the ordered resource.
    id: Arc<str>,
    stop: Stop,
    /// Ends the renewals only, and has them back.
    hand_over: Stop,
    poller: JoinHandle<()>,
    renewals: JoinHandle<Option<Renewals>>,
    holder: Holder,
    store: Arc<Store>,
    clock: Clock,
}

impl Station {
    fn begin(alone: Alone, id: Arc<str>, known: Snapshot) -> Self {
        let Alone { accounts, poll, policy, rules, page, settings, clock, telemetry, store, .. } = alone;
        let metrics = Arc::new(MetricsPage::new(Arc::clone(&telemetry), poll.clone(), clock.now()));
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let providers: BTreeMap<_, _> = accounts
            .iter()
            .map(|account| (Arc::clone(&account.name), Arc::clone(&account.provider)))
            .collect();
        let mode = Mode::Following { only: Arc::clone(&id) };
        let poller = Poller::resumed(accounts, poll, mode, clock.clone(), Arc::clone(&telemetry), known);
        let snapshots = poller.snapshots();
        let parts = Parts {
            policy,
            rules: watch::Sender::new(Arc::new(rules)).subscribe(),
            page,
            snapshots: snapshots.clone(),
            providers,
            store: handle.clone(),
            wishes: poller.wishes(),
            written: Arc::new(Notify::new()),
            metrics: Arc::clone(&metrics),
            telemetry,
            clock: clock.clone(),
        };
        let renewals = Renewals::new(parts).only_own_orders(&id);
        let renewing = Renewing { board: renewals.board(), desk: Arc::new(renewals.desk()) };
        let board = renewals.board();
        let routes = routes(&snapshots, metrics, settings, &clock, renewing, handle);
        let (stop, hand_over) = (Stop::new(), Stop::new());
        let poller = tokio::spawn(poller.run(stop.listener()));
        let renewals = tokio::spawn(renewals.run_or_hand_over(stop.listener(), hand_over.listener()));
        Self { routes, board, snapshots, id, stop, hand_over, poller, renewals, holder, store, clock }
    }

    /// What the control socket of a daemon answers, for renewals.
    pub fn routes(&self) -> Router {
        self.routes.clone()
    }

    /// Waits for the first plan. `Err`: why there is none.
    ///
    /// # Errors
    /// What was tried before cannot be read.
    pub async fn planned(&mut self) -> Result<(), String> {
        let board = self.board.wait_for(|board| board.at.is_some() || board.trouble.is_some()).await;
        match board.map(|board| (board.at, board.trouble.clone())) {
            Ok((None, Some(trouble))) => Err(trouble.into()),
            Ok(_) => Ok(()),
            Err(_) => Err("the renewal loop ended by itself, which is a defect of notafter".to_owned()),
        }
    }

    /// Waits until the store cannot be used any more, and says why.
    pub async fn broken(&mut self) -> StoreError {
        self.holder.broken().await
    }

    /// Ends everything. `over`: when the outcome became known; then the program of the operator that is to be told runs
    /// to its end, unless somebody asks to stop. Without it, a call that was made gets a moment for its answer.
    pub async fn end(self, over: Option<DateTime<Utc>>, asked: &Shutdown) {
        let Self { snapshots, id, stop, hand_over, poller, mut renewals, store, clock, .. } = self;
        if let Some(over) = over {
            hand_over.request();
            let last = async {
                if let Ok(Some(mut renewals)) = (&mut renewals).await {
                    renewals.settle().await;
                }
                looked_at_since(snapshots.clone(), &id, over).await;
            };
            tokio::select! {
                () = asked.requested() => {}
                () = last => {}
            }
        }
        stop.request();
        if !renewals.is_finished() {
            // it was told in the log what became of it
            drop(renewals.await);
        }
        drop(poller.await);
        let last = Arc::clone(&snapshots.borrow());
        if let Err(error) = keep(&store, &last, &id, &clock).await {
            tracing::warn!(%error, "what was read is not kept: the daemon reads it anew");
        }
        close(&store).await;
    }
}

fn routes(
    snapshots: &watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<MetricsPage>,
    settings: ViewSettings,
    clock: &Clock,
    renewing: Renewing,
    store: Handle,
) -> Router {
    let (one, other) = (clock.clone(), clock.clone());
    let state = AppState { snapshot: snapshots.clone(), metrics, now: Arc::new(move || one.now()) };
    let view = View {
        snapshot: snapshots.clone(),
        settings: watch::Sender::new(Arc::new(settings)).subscribe(),
        now: Box::new(move || other.now()),
        version: env!("CARGO_PKG_VERSION"),
        started_at: clock.now(),
        timeline_start: clock.wall_of(Duration::ZERO),
        inside: Inside { store: Some(store), renewing: Some(renewing), ..Inside::default() },
    };
    web::control_router(state, Arc::new(view))
}

/// Waits a moment until the resource was looked at after `since`.
async fn looked_at_since(mut snapshots: watch::Receiver<Arc<Snapshot>>, id: &str, since: DateTime<Utc>) {
    let is_new = |resource: &Resource| resource.reading.as_ref().is_some_and(|reading| reading.at >= since);
    let seen = snapshots.wait_for(|snapshot| {
        snapshot.resources().any(|(_, resource)| *resource.id == *id && is_new(resource))
    });
    // without it the daemon looks when it is due
    drop(tokio::time::timeout(LAST_LOOK, seen).await);
}

/// What was read of the resource is kept where the daemon knows it, lest the next one begins with the old end. All else
/// stays as the daemon left it.
async fn keep(store: &Store, last: &Snapshot, id: &str, clock: &Clock) -> Result<(), StoreError> {
    let start = clock.wall_of(Duration::ZERO);
    let saved = store.load(start).await?.snapshot;
    let mut read = saved.clone();
    for (scope, resource) in last.resources().filter(|(_, resource)| *resource.id == *id) {
        if saved.scopes.get(scope).is_some_and(|view| view.resources.get(id).is_some()) {
            let view = read.scope_mut(scope);
            *view = std::mem::take(view).with_resources([(**resource).clone()]);
        }
    }
    let change = Difference::between(&saved, &read);
    if change.is_empty() { Ok(()) } else { store.save(&change, start).await }
}
