//! Floor 5: the loops that make it a daemon: one polls, one serves, one keeps what is known, one carries the pace of
//! each call to the metrics page, one carries messages to the channels, one renews. The first to end, or the request to
//! stop, ends them all.
//!
//! What a configuration asks for is made as a whole (`draft`) and then begun (`running`); a reload makes the next one
//! beside the one that runs, and puts it in its place.

mod accounts;
pub mod alerts;
pub mod alone;
pub mod doctor;
mod draft;
mod host;
mod keep;
pub mod poll;
mod pulse;
mod reload;
pub mod renewal;
mod running;
mod service;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

pub use accounts::{AccountError, build_accounts};
pub use alerts::ChannelError;
pub use host::{Host, Source};
pub use reload::Reloads;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::snapshot::Snapshot;
use crate::http::Http;
use crate::metrics::MetricsPage;
use crate::secret::Secret;
use crate::shutdown::Shutdown;
use crate::store;
use crate::systemd::{Notify, Word};
use crate::telemetry::Telemetry;
use crate::tls::TlsError;
use crate::web::control::{Socket, SocketError};
use crate::web::inside::{Explainer, Logging, Reading};
use crate::web::server::BindError;
use draft::{Draft, Means};
use keep::Found;
use poll::{Mode, Poller};
use pulse::Pulses;
use reload::Ask;
use running::{Ended, Running};

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
    #[error("{0}: {source}", source = .0.source)]
    Bind(#[from] BindError),
    /// A socket of the service manager cannot be used.
    #[error("a socket that was handed over cannot be used: {0}")]
    Passed(std::io::Error),
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
    base: Base,
    draft: Draft,
    poller: Poller,
    asked: mpsc::Receiver<Ask>,
    /// `None`: none is configured, or it cannot be made.
    control: Option<Socket>,
    /// `None`: nothing is to be kept.
    store: Option<Found>,
    /// That the service manager opened.
    sockets: Vec<TcpListener>,
}

/// What stays as it is as long as the process lives.
struct Base {
    clock: Clock,
    telemetry: Arc<Telemetry>,
    metrics: Arc<MetricsPage>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    store: Option<store::Handle>,
    /// `None`: nothing is kept, or its address could not be had.
    store_url: Option<Secret>,
    control_socket: Option<PathBuf>,
    reloads: Reloads,
    reading: watch::Sender<Arc<Reading>>,
    pulses: Pulses,
    source: Option<Source>,
    explainer: Option<fn(&Config) -> Explainer>,
    logging: Option<Arc<dyn Logging>>,
    notify: Notify,
    watchdog: Option<std::time::Duration>,
    started_at: chrono::DateTime<chrono::Utc>,
}

impl Daemon {
    /// Makes the accounts and the channels, binds the addresses, and reads what was known when it last ran. `env` answers for environment
    /// variables. A store that cannot be used is told in the log and keeps nothing else from working.
    ///
    /// # Errors
    /// A secret or a template cannot be read, no HTTP client can be made, an address is taken, or another daemon answers
    /// on the control socket.
    pub async fn prepare(config: Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, DaemonError> {
        Self::prepare_in(Host::default(), config, env).await
    }

    /// The same with what the process brings along.
    ///
    /// # Errors
    /// See [`Daemon::prepare`].
    pub async fn prepare_in(
        host: Host,
        config: Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DaemonError> {
        let Host { source, explainer, logging, notify, watchdog, sockets } = host;
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let sockets = passed(sockets).map_err(DaemonError::Passed)?;
        let control_socket = config.web.control_socket.clone();
        let store_url = config.store.as_ref().and_then(|store| store.address(env).ok());
        let store = match &config.store {
            Some(store) => Some(Found::at_start(store, env, &clock).await),
            None => None,
        };
        let http = |poll: &crate::domain::policy::PollPolicy| {
            Http::new(poll.timeout, poll.concurrency, clock.clone(), Arc::clone(&telemetry))
        };
        let passed = !sockets.is_empty();
        let means = Means { clock: &clock, before: None, passed, held: &[], explainer, env };
        let mut draft = Draft::make(Arc::new(config), http, &means)?;
        draft.is_handed(&sockets);
        let control = control(control_socket.as_deref()).await?;
        let started_at = clock.now();
        let metrics = Arc::new(MetricsPage::new(Arc::clone(&telemetry), draft.poll.clone(), started_at));
        metrics.config_accepted(draft.poll.clone(), started_at);
        let restored = store.as_ref().map(Found::snapshot).unwrap_or_default();
        let mut poller = Poller::resumed(
            draft.accounts.clone(),
            draft.poll.clone(),
            Mode::Continuous,
            clock.clone(),
            Arc::clone(&telemetry),
            restored,
        );
        let pulses = Pulses::default();
        poller.beats(pulses.poll.clone());
        let (reloads, asked) = Reloads::channel();
        let base = Base {
            snapshots: poller.snapshots(),
            store: store.as_ref().map(Found::handle),
            reading: watch::Sender::new(Arc::new(Reading { used_since: started_at, refused: None })),
            clock,
            telemetry,
            metrics,
            store_url,
            control_socket,
            reloads,
            pulses,
            source,
            explainer,
            logging,
            notify,
            watchdog,
            started_at,
        };
        Ok(Self { base, draft, poller, asked, control, store, sockets })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let own = self.draft.listeners.iter().map(|(_, listener)| listener);
        own.chain(&self.sockets).filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The control socket, where there is one.
    pub fn control_socket(&self) -> Option<&Path> {
        self.control.as_ref().map(Socket::path)
    }

    /// For those who want the configuration read again.
    pub fn reloads(&self) -> Reloads {
        self.base.reloads.clone()
    }

    /// Snapshots as they come.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.base.snapshots.clone()
    }

    /// The store, for those who use it besides the daemon; `None`: none is configured. The daemon closes it when all
    /// handles are gone, or a little after it was asked to stop.
    pub fn store(&self) -> Option<store::Handle> {
        self.base.store.clone()
    }

    /// Runs until asked to stop.
    ///
    /// # Errors
    /// A loop ended by itself.
    pub async fn run(self, stop: Shutdown) -> Result<(), DaemonError> {
        let (notify, mut asked) = (self.base.notify.clone(), self.asked);
        let mut running =
            Running::begin(self.base, self.draft, self.poller, self.control, self.store, self.sockets);
        let ended = loop {
            let ask = tokio::select! {
                biased;
                () = stop.requested() => break None,
                name = running.ended() => break Some(name),
                Some(ask) = asked.recv() => ask,
            };
            tokio::select! {
                biased;
                () = stop.requested() => break None,
                () = running.obey(ask) => {}
            }
        };
        notify.say(Word::Stopping);
        asked.close();
        running.end().await;
        match ended {
            None => Ok(()),
            Some(Ended(name)) => Err(DaemonError::LoopEnded(name)),
        }
    }
}

/// As the runtime wants them.
fn passed(sockets: Vec<std::net::TcpListener>) -> std::io::Result<Vec<TcpListener>> {
    let passed = sockets.into_iter().map(|socket| {
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket)
    });
    passed.collect()
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

fn lines<E: ToString>(errors: &[E]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
