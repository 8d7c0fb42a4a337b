//! Floor 5: the loops that make it a daemon: one polls, one serves, one keeps what is known, one carries the pace of
//! each call to the metrics page, one carries messages to the channels. The first to end, or the request to stop, ends them all.

mod accounts;
pub mod alerts;
pub mod doctor;
mod keep;
pub mod poll;
pub mod renewal;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use accounts::{AccountError, build_accounts};
pub use alerts::ChannelError;

use crate::clock::Clock;
use crate::config::{Config, Web};
use crate::domain::described::Described;
use crate::domain::identity::Scope;
use crate::domain::policy::{AlertPolicy, Thresholds};
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::http::Http;
use crate::metrics::{MetricsPage, RateLimit};
use crate::provider::Provider;
use crate::shutdown::{Shutdown, Stop};
use crate::store;
use crate::telemetry::Telemetry;
use crate::tls::{Tls, TlsError};
use crate::web::context::AccountInfo;
use crate::web::control::{Socket, SocketError};
use crate::web::guard::Guard;
use crate::web::inside::{Alerting, Explainer, Inside, Pace, Renewing};
use crate::web::server::{self, BindError, Limits};
use crate::web::users::Users;
use crate::web::view::{View, ViewSettings};
use crate::web::{self, AppState};
use alerts::{Channel, Delivery, Heartbeat, Words};
use keep::Found;
use poll::{Mode, Poller};
use renewal::Renewals;

/// How often the pace of each call is carried to the metrics page.
const RATES_EVERY: Duration = Duration::from_secs(5);
/// How often the files of our own TLS are looked at. What changed is used after twice this time at most.
const TLS_FILES_EVERY: Duration = Duration::from_secs(5);
/// What is still under way when a stop is asked for gets this long.
const GRACE: Duration = Duration::from_secs(4);

/// Why the daemon cannot start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// An account cannot be made.
    #[error("{}", lines(.0))]
    Accounts(Vec<AccountError>),
    /// A channel cannot be made.
    #[error("{}", lines(.0))]
    Channels(Vec<ChannelError>),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Our own certificate cannot be shown.
    #[error("[web] tls: {0}")]
    Tls(#[from] TlsError),
    /// Another daemon has the control socket.
    #[error(transparent)]
    Control(#[from] SocketError),
    /// A loop ended that must not end.
    #[error("{0} ended by itself, which is a defect of notafter; its log says more")]
    LoopEnded(&'static str),
}

/// A daemon whose addresses are bound and whose accounts are made; nothing runs yet.
pub struct Daemon {
    poller: Poller,
    providers: Vec<Arc<dyn Provider>>,
    metrics: Arc<MetricsPage>,
    clock: Clock,
    view: Arc<View>,
    listeners: Vec<TcpListener>,
    guard: Guard,
    /// `None`: none is configured, or it cannot be made.
    control: Option<Socket>,
    /// `None`: nothing is to be kept.
    store: Option<Found>,
    /// `None`: nobody is to be told anything.
    delivery: Option<Delivery>,
    /// `None`: nothing is kept, so nothing can be renewed.
    renewals: Option<Renewals>,
    /// Lives as long as the daemon, so that the page keeps its settings.
    _settings: watch::Sender<Arc<ViewSettings>>,
}

impl Daemon {
    /// Makes the accounts and the channels, binds the addresses, and reads what was known when it last ran. `env` answers for environment
    /// variables. A store that cannot be used is told in the log and keeps nothing else from working.
    ///
    /// # Errors
    /// A secret or a template cannot be read, no HTTP client can be made, an address is taken, or another daemon answers
    /// on the control socket.
    pub async fn prepare(config: Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, DaemonError> {
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let http =
            Http::new(config.poll.timeout, config.poll.concurrency, clock.clone(), Arc::clone(&telemetry));
        let accounts = build_accounts(&config, &http, env).map_err(DaemonError::Accounts)?;
        let (channels, heartbeat) = channels(&config, env)?;
        let (words, rules) = (Words::of(&config), alerts::rules(&config));
        let guard = guard(&config.web, &clock)?;
        let listeners = server::bind(&config.web.listen).await?;
        let control = control(config.web.control_socket.as_deref()).await?;
        let pace = pace(&accounts);
        let providers = accounts.iter().map(|account| Arc::clone(&account.provider)).collect();
        let by_account = accounts
            .iter()
            .map(|account| (Arc::clone(&account.name), Arc::clone(&account.provider)))
            .collect();
        let metrics = Arc::new(MetricsPage::new(Arc::clone(&telemetry), config.poll.clone(), clock.now()));
        metrics.config_accepted(config.poll.clone(), clock.now());
        let settings = watch::Sender::new(Arc::new(view_settings(&config)));
        let store = match &config.store {
            Some(store) => Some(Found::at_start(store, env, &clock).await),
            None => None,
        };
        let restored = store.as_ref().map(Found::snapshot).unwrap_or_default();
        let poller = Poller::resumed(
            accounts,
            config.poll,
            Mode::Continuous,
            clock.clone(),
            Arc::clone(&telemetry),
            restored,
        );
        let told = !channels.is_empty() || heartbeat.is_some();
        let (usual_rules, external_url) = (rules.clone(), config.web.external_url.clone());
        let mut delivery = store.as_ref().filter(|_| told).map(|store| {
            Delivery::new(alerts::Parts {
                channels,
                words,
                rules,
                heartbeat,
                snapshots: poller.snapshots(),
                store: store.handle(),
                metrics: Arc::clone(&metrics),
                telemetry: Arc::clone(&telemetry),
                clock: clock.clone(),
            })
        });
        let renewals = store.as_ref().map(|store| {
            Renewals::new(renewal::Parts {
                policy: config.renewal,
                rules: match &delivery {
                    Some(delivery) => delivery.rules(),
                    None => watch::Sender::new(Arc::new(usual_rules)).subscribe(),
                },
                page: external_url,
                snapshots: poller.snapshots(),
                providers: by_account,
                store: store.handle(),
                wishes: poller.wishes(),
                written: delivery.as_ref().map(Delivery::written).unwrap_or_default(),
                metrics: Arc::clone(&metrics),
                telemetry,
                clock: clock.clone(),
            })
        });
        if let (Some(delivery), Some(renewals)) = (&mut delivery, &renewals) {
            delivery.knows(renewals);
        }
        let inside = Inside {
            alerting: delivery
                .as_ref()
                .zip(store.as_ref())
                .map(|(delivery, store)| alerting(delivery, store)),
            store: store.as_ref().map(Found::handle),
            pace: Some(pace),
            renewing: renewals
                .as_ref()
                .map(|renewals| Renewing { board: renewals.board(), desk: Arc::new(renewals.desk()) }),
            ..Inside::default()
        };
        let view = Arc::new(view(&poller, settings.subscribe(), &clock, inside));
        Ok(Self {
            poller,
            providers,
            metrics,
            clock,
            view,
            listeners,
            guard,
            control,
            store,
            delivery,
            renewals,
            _settings: settings,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The control socket, where there is one.
    pub fn control_socket(&self) -> Option<&Path> {
        self.control.as_ref().map(Socket::path)
    }

    /// Who makes the texts of explanations. Without, there are none.
    pub fn explains_with(&self, explainer: Explainer) {
        // Only the first one counts, and nobody gives two.
        drop(self.view.inside.explain.set(explainer));
    }

    /// Snapshots as they come.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.poller.snapshots()
    }

    /// The store, for those who use it besides the daemon; `None`: none is configured. The daemon closes it when all
    /// handles are gone, or a little after it was asked to stop.
    pub fn store(&self) -> Option<store::Handle> {
        self.store.as_ref().map(Found::handle)
    }

    /// Runs until asked to stop.
    ///
    /// # Errors
    /// A loop ended by itself.
    pub async fn run(mut self, stop: Shutdown) -> Result<(), DaemonError> {
        let inner = Stop::new();
        let now = self.clock.clone();
        let state = AppState {
            snapshot: self.poller.snapshots(),
            metrics: Arc::clone(&self.metrics),
            now: Arc::new(move || now.now()),
        };
        let limits = Limits { drain: GRACE, ..Limits::default() };
        let mut loops = JoinSet::new();
        if let Some(listener) = self.control.as_mut().and_then(Socket::take_listener) {
            let app = web::control_router(state.clone(), Arc::clone(&self.view));
            let serve = server::serve(vec![listener], app, limits.clone(), inner.listener());
            loops.spawn(named("the control socket", serve));
        }
        let app = web::router(state, self.view);
        if let Some(store) = self.store {
            let keep = store.keep(self.poller.snapshots(), Arc::clone(&self.metrics), self.clock);
            loops.spawn(named("the store loop", keep));
        }
        if let Some(delivery) = self.delivery {
            loops.spawn(named("the delivery of messages", delivery.run(inner.listener())));
        }
        if let Some(renewals) = self.renewals {
            loops.spawn(named("the renewal loop", renewals.run(inner.listener())));
        }
        loops.spawn(named("the poll loop", self.poller.run(inner.listener())));
        if let Some(tls) = self.guard.tls.clone() {
            let follow = tls.follow(TLS_FILES_EVERY, inner.listener());
            loops.spawn(named("the loop that looks after our own certificate", follow));
        }
        let serve = server::serve_guarded(self.listeners, app, self.guard, limits, inner.listener());
        loops.spawn(named("the web server", serve));
        loops.spawn(named("the rate loop", carry_rates(self.providers, self.metrics, inner.listener())));
        let ended = tokio::select! {
            () = stop.requested() => None,
            ended = loops.join_next() => ended,
        };
        inner.request();
        let drained = tokio::time::timeout(GRACE, async { while loops.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("some requests were still open and were cut off");
        }
        match ended {
            None => Ok(()),
            Some(Ok(name)) => Err(DaemonError::LoopEnded(name)),
            Some(Err(_)) => Err(DaemonError::LoopEnded("a loop")),
        }
    }
}

/// What stands before the web port, and a word about what it does not keep.
fn guard(web: &Web, clock: &Clock) -> Result<Guard, TlsError> {
    let tls = web.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
    if let Some(ends) = tls.as_ref().and_then(|tls| tls.ends()).filter(|ends| *ends <= clock.now()) {
        tracing::warn!(%ends, "the certificate of the web port has expired: nobody who verifies it gets an answer");
    }
    let open = web.listen.iter().find(|address| !address.ip().to_canonical().is_loopback());
    if let (Some(address), None, false) = (open, &tls, web.users.is_empty()) {
        tracing::warn!(
            %address,
            "passwords of users cross the network readable: set [web] tls, or listen on 127.0.0.1 behind a proxy with TLS"
        );
    }
    let users = Users::new(web.users.iter().map(|(name, hash)| (name.as_str(), hash)));
    let only_tls = Guard::may_insist(tls.is_some(), web.external_url.as_deref());
    Ok(Guard { tls, users: Arc::new(users), only_tls })
}

/// The control socket. One that cannot be made is told, and the daemon goes on without it.
async fn control(path: Option<&Path>) -> Result<Option<Socket>, DaemonError> {
    let Some(path) = path else { return Ok(None) };
    match Socket::bind(path).await {
        Ok(socket) => Ok(Some(socket)),
        Err(taken @ SocketError::Taken(_)) => Err(taken.into()),
        Err(error) => {
            tracing::warn!(
                %error,
                "there is no control socket: `status`, `silence` and the like do not reach this daemon; name a place \
                 under [web] control_socket"
            );
            Ok(None)
        }
    }
}

/// Calls a second that may go to the detail API of a scope now.
fn pace(accounts: &[poll::Account]) -> Pace {
    let provider = |account: &poll::Account| (Arc::clone(&account.name), Arc::clone(&account.provider));
    let providers: BTreeMap<_, _> = accounts.iter().map(provider).collect();
    Box::new(move |scope| providers.get(&scope.account).map(|provider| provider.inspect_rate(scope)))
}

/// What people see and do of what is told.
fn alerting(delivery: &Delivery, store: &Found) -> Alerting {
    Alerting {
        rules: delivery.rules(),
        board: delivery.board(),
        ask: delivery.ask(),
        desk: Arc::new(delivery.office()),
        store: store.handle(),
        renewal: delivery.renewal(),
        silence_id: alerts::silence_id,
    }
}

/// The channels and the sign of life, and a word about channels that nothing is sent to.
fn channels(
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<Channel>, Option<Heartbeat>), DaemonError> {
    let channels = alerts::build_channels(config, env);
    let heartbeat = Heartbeat::of(config, env);
    let (channels, heartbeat) = match (channels, heartbeat) {
        (Ok(channels), Ok(heartbeat)) => (channels, heartbeat),
        (channels, heartbeat) => {
            let errors = channels.err().into_iter().flatten().chain(heartbeat.err());
            return Err(DaemonError::Channels(errors.collect()));
        }
    };
    for channel in alerts::unused(config) {
        tracing::warn!(channel, "no route names this channel: nothing is sent there");
    }
    if alerts::leaks(config) {
        tracing::warn!(
            "what none of the routes means is told to nobody; a last route without `match` takes it"
        );
    }
    Ok((channels, heartbeat))
}

/// Thresholds of a resource: those of the first override that means it, else those for all.
fn thresholds_of(alert: &AlertPolicy, described: &Described<'_>) -> Thresholds {
    let matching = alert.overrides.iter().find(|(matcher, _)| described.is(matcher));
    matching.map_or(alert.thresholds, |(_, thresholds)| *thresholds)
}

fn view_settings(config: &Config) -> ViewSettings {
    let accounts: BTreeMap<Box<str>, AccountInfo> = config
        .accounts
        .iter()
        .map(|account| {
            let labels =
                account.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
            let owner_tag = account.owner_tag.as_deref().map(Into::into);
            (account.name.as_str().into(), AccountInfo { owner_tag, labels: labels.collect() })
        })
        .collect();
    let (alert, labels) = (config.alert.clone(), accounts.clone());
    let thresholds = move |scope: &Scope, resource: &Resource| {
        let account = labels.get(&*scope.account);
        let label = |key: &str| account?.labels.get(key).map(|value| &**value);
        thresholds_of(&alert, &Described::new(scope, resource, &label))
    };
    let timezone = config.alert.timezone;
    ViewSettings { timezone, thresholds: Box::new(thresholds), accounts, poll: config.poll.clone() }
}

fn view(
    poller: &Poller,
    settings: watch::Receiver<Arc<ViewSettings>>,
    clock: &Clock,
    inside: Inside,
) -> View {
    let now = clock.clone();
    View {
        snapshot: poller.snapshots(),
        settings,
        now: Box::new(move || now.now()),
        version: env!("CARGO_PKG_VERSION"),
        started_at: clock.now(),
        timeline_start: clock.wall_of(Duration::ZERO),
        inside,
    }
}

async fn named(name: &'static str, work: impl Future<Output = ()>) -> &'static str {
    work.await;
    name
}

async fn carry_rates(providers: Vec<Arc<dyn Provider>>, metrics: Arc<MetricsPage>, stop: Shutdown) {
    loop {
        let rates = providers.iter().flat_map(|provider| provider.rates());
        let limits = rates.map(|rate| RateLimit {
            provider: rate.provider,
            account: rate.account,
            region: rate.region,
            action: rate.action.into(),
            per_second: rate.per_second,
        });
        metrics.show_rate_limits(limits.collect());
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(RATES_EVERY) => {}
        }
    }
}

fn lines<E: ToString>(errors: &[E]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
