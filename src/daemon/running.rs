//! The daemon while it runs, and how a reload puts the next configuration in the place of the one that is used.
//!
//! What stays: the poll loop (it takes a change), the store, the counters, the metrics page, the control socket, and the web
//! port with its connections (the next request is answered by the new routes). What is replaced: the delivery of messages
//! and the renewal loop, each by one that goes on with what the other knew; the routes; listeners of addresses that are
//! new or gone. Everything that may fail was made before any of that begins (`draft`), so a reload happens or does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::Base;
use super::alerts::{self, Delivery, Estate, watch::Rules};
use super::draft::{Draft, Known};
use super::keep::{self, Found};
use super::poll::{Changes, Poller, Wishes};
use super::reload::ReloadError;
use super::renewal::{self, Renewals};
use super::service::{Numbers, Service};
use crate::metrics::{MetricsPage, RateLimit};
use crate::provider::Provider;
use crate::shutdown::{Shutdown, Stop};
use crate::systemd::Word;
use crate::web::control::Socket;
use crate::web::guard::Guard;
use crate::web::inside::{Alerting, Bundling, Inside, Pace, Reading, ReloadRefused, Reloaded, Renewing};
use crate::web::server::{Limits, Port, Served};
use crate::web::view::View;
use crate::web::{self, AppState};

/// How often the pace of each call is carried to the metrics page.
const RATES_EVERY: Duration = Duration::from_secs(5);
/// How often the files of our own TLS are looked at. What changed is used after twice this time at most.
const TLS_FILES_EVERY: Duration = Duration::from_secs(5);
/// What is still under way when a stop is asked for gets this long.
const GRACE: Duration = Duration::from_secs(4);
/// A message that is being sent when a reload begins gets this long. After that it is sent again, with the same id.
const LAST_MESSAGE: Duration = Duration::from_secs(8);

type Providers = BTreeMap<Arc<str>, Arc<dyn Provider>>;

/// A loop that ended by itself.
pub(super) struct Ended(pub(super) &'static str);

/// A part that a reload replaces.
struct Part<T> {
    stop: Stop,
    done: oneshot::Receiver<T>,
    task: AbortHandle,
}

/// See the module.
pub(super) struct Running {
    base: Base,
    known: Known,
    stop: Stop,
    /// `None`: it ended because it was asked to.
    loops: JoinSet<Option<&'static str>>,
    changes: Changes,
    wishes: Wishes,
    providers: watch::Sender<Providers>,
    numbers: watch::Sender<Numbers>,
    port: Port,
    served: watch::Sender<Arc<Served>>,
    controlled: watch::Sender<Arc<Served>>,
    listeners: BTreeMap<SocketAddr, Stop>,
    /// Looks after the files of our own TLS.
    follow: Option<Stop>,
    estate: Estate,
    delivery: Option<Part<()>>,
    renewals: Option<Part<Option<Renewals>>>,
    /// Its file goes with it.
    _control: Option<Socket>,
}

impl Running {
    /// Begins everything. The service manager is told that the daemon is ready.
    pub(super) fn begin(
        base: Base,
        draft: Draft,
        poller: Poller,
        mut control: Option<Socket>,
        store: Option<Found>,
        sockets: Vec<TcpListener>,
    ) -> Self {
        let nothing = || Arc::new(Served { app: axum::Router::new(), guard: Guard::default() });
        let (served, controlled) = (watch::Sender::new(nothing()), watch::Sender::new(nothing()));
        let port = Port::new(served.subscribe(), limits());
        let mut this = Self {
            known: draft.known.clone(),
            stop: Stop::new(),
            loops: JoinSet::new(),
            changes: poller.changes(),
            wishes: poller.wishes(),
            providers: watch::Sender::default(),
            numbers: watch::Sender::default(),
            port,
            served,
            controlled,
            listeners: BTreeMap::new(),
            follow: None,
            estate: Estate::default(),
            delivery: None,
            renewals: None,
            base,
            _control: None,
        };
        let has_messages = store.as_ref().is_some_and(Found::has_messages);
        this.use_draft(draft, None, has_messages);
        if let Some(listener) = control.as_mut().and_then(Socket::take_listener) {
            this.control(listener);
        }
        #[allow(clippy::used_underscore_binding)] // it is only held
        {
            this._control = control;
        }
        for socket in sockets {
            let (port, stop) = (this.port.clone(), this.stop.listener());
            this.keep_going("the web server", async move { port.serve(socket, stop).await });
        }
        if let Some(store) = store {
            let (metrics, clock) = (Arc::clone(&this.base.metrics), this.base.clock.clone());
            let keep = store.keep(this.base.snapshots.clone(), metrics, clock);
            this.keep_going("the store loop", keep);
        }
        let stop = this.stop.listener();
        this.base.pulses.poll.beat();
        this.keep_going("the poll loop", poller.run(stop.clone()));
        let rates = carry_rates(this.providers.subscribe(), Arc::clone(&this.base.metrics), stop.clone());
        this.keep_going("the rate loop", rates);
        let service = this.service();
        service.ready();
        if service.notify.is_wanted() {
            this.keep_going("the word to the service manager", service.run(stop));
        }
        this
    }

    /// Waits for a loop that ends by itself.
    pub(super) async fn ended(&mut self) -> Ended {
        ended(&mut self.loops).await
    }

    /// Ends everything. What is under way gets a moment.
    pub(super) async fn end(self) {
        // the delivery is asked by its own request, the renewals must not take this for a reload
        self.stop.request();
        if let Some(delivery) = &self.delivery {
            delivery.stop.request();
        }
        for stop in self.listeners.values().chain(&self.follow) {
            stop.request();
        }
        let Self { base, estate, mut loops, renewals, .. } = self;
        // whoever holds a handle keeps the store open
        drop((base.store, estate, self.served, self.controlled, self.port));
        let all = async { while loops.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!("some requests were still open and were cut off");
        }
        drop(renewals);
    }

    /// Reads the configuration again and uses it, or says why not and goes on as before.
    pub(super) async fn reload(&mut self, by: &str) -> Result<Reloaded, ReloadRefused> {
        self.base.notify.say(Word::Reloading);
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(done) => {
                tracing::info!(
                    by,
                    accounts = done.accounts,
                    channels = done.channels,
                    "the configuration was read again and is used from now on"
                );
            }
            Err(error) => {
                let problems = error.to_string();
                tracing::error!(
                    by,
                    problems,
                    "the configuration was read again and is refused: nothing is different"
                );
                let refused = Some((self.base.clock.now(), problems.into()));
                self.base.metrics.config_refused();
                self.base.reading.send_modify(|reading| {
                    *reading = Arc::new(Reading { refused, ..(**reading).clone() });
                });
            }
        }
        self.service().ready();
        outcome.map_err(|error| ReloadRefused::Wrong(error.to_string()))
    }

    async fn try_reload(&mut self) -> Result<Reloaded, ReloadError> {
        let source = self.base.source.clone().ok_or(ReloadError::NoSource)?;
        let read = Arc::clone(&source.read);
        // a file may lie on a disk that keeps one waiting
        let read = tokio::task::spawn_blocking(move || read()).await.map_err(|_| ReloadError::Defect)?;
        let loaded = read?;
        let config = loaded.config;
        if config.web.control_socket != self.base.control_socket {
            return Err(ReloadError::ControlSocket);
        }
        let store_url = config.store.as_ref().and_then(|store| store.address(&source.env).ok());
        let texts =
            [&store_url, &self.base.store_url].map(|url| url.as_ref().map(crate::secret::Secret::expose));
        if texts[0] != texts[1] {
            return Err(ReloadError::Store);
        }
        let http = |poll: &crate::domain::policy::PollPolicy| {
            self.known.http.with_limits(poll.timeout, poll.concurrency)
        };
        let passed = self.known.listen.is_none();
        let (known, explainer) = (Some(&self.known), self.base.explainer);
        let draft = Draft::make(config, http, &self.base.clock, known, passed, explainer, &source.env)?;
        let (accounts, channels) = (draft.accounts.len(), draft.channels.len());
        self.replace(draft).await;
        let warnings = if loaded.warnings.is_empty() { String::new() } else { loaded.warnings.to_string() };
        if !warnings.is_empty() {
            tracing::warn!(warnings, "what was read can be used, and is not as good as it could be");
        }
        Ok(Reloaded { accounts, channels, warnings })
    }

    /// Nothing in here can fail any more.
    async fn replace(&mut self, draft: Draft) {
        self.changes.apply(draft.accounts.clone(), draft.poll.clone()).await;
        if let Some(Part { stop, done, task }) = self.delivery.take() {
            stop.request();
            if tokio::time::timeout(LAST_MESSAGE, done).await.is_err() {
                tracing::warn!("a message was under way for too long; it is sent again");
                task.abort();
            }
        }
        let before = match self.renewals.take() {
            Some(Part { stop, done, .. }) => {
                stop.request();
                done.await.ok().flatten()
            }
            None => None,
        };
        let now = self.base.clock.now();
        self.base.metrics.config_accepted(draft.poll.clone(), now);
        self.base.reading.send_replace(Arc::new(Reading { used_since: now, refused: None }));
        let store = self.base.store.as_ref().and_then(crate::store::Handle::store);
        let has_messages = keep::has_messages(store.as_deref()).await;
        drop(store);
        self.use_draft(draft, before, has_messages);
    }

    /// Begins what is new with this configuration. `has_messages`: of channels that may not be configured any more.
    fn use_draft(&mut self, draft: Draft, before: Option<Renewals>, has_messages: bool) {
        let Draft { accounts, channels, heartbeat, words, rules, poll: _, renewal, .. } = draft;
        let Draft { external_url, settings, explainer, listeners, effective, known, .. } = draft;
        let providers =
            accounts.iter().map(|account| (Arc::clone(&account.name), Arc::clone(&account.provider)));
        let providers: Providers = providers.collect();
        self.providers.send_replace(providers.clone());
        let usual_rules = rules.clone();
        let is_wanted = !channels.is_empty() || heartbeat.is_some() || has_messages;
        let mut delivery = if is_wanted { self.delivery(channels, heartbeat, words, rules) } else { None };
        let renewals =
            self.renewals(renewal, usual_rules, external_url, &providers, delivery.as_ref(), before);
        if let (Some(delivery), Some(renewals)) = (&mut delivery, &renewals) {
            delivery.knows(renewals);
        }
        let inside = Inside {
            alerting: delivery.as_ref().and_then(|delivery| self.alerting(delivery)),
            store: self.base.store.clone(),
            pace: Some(pace(providers)),
            renewing: renewals
                .as_ref()
                .map(|renewals| Renewing { board: renewals.board(), desk: Arc::new(renewals.desk()) }),
            explain: explainer.map(Into::into).unwrap_or_default(),
            reading: Some(self.base.reading.subscribe()),
            reload: Some(Arc::new(self.base.reloads.clone())),
            logging: self.base.logging.clone(),
            bundling: Some(Bundling {
                config: effective,
                answers: known.http.kept().clone(),
                metrics: Arc::clone(&self.base.metrics),
            }),
        };
        let board = inside.renewing.as_ref().map(|renewing| renewing.board.clone());
        self.numbers.send_replace(Numbers { accounts: accounts.len(), renewals: board });
        let view = Arc::new(self.view(settings, inside));
        self.run_delivery(delivery);
        self.run_renewals(renewals);
        self.show(&view, &known.guard);
        self.listen(listeners, &known);
        self.follow(&known.guard);
        self.known = known;
    }

    /// `None`: nothing can be written down.
    fn delivery(
        &self,
        channels: Vec<alerts::Channel>,
        heartbeat: Option<alerts::Heartbeat>,
        words: alerts::Words,
        rules: Rules,
    ) -> Option<Delivery> {
        let store = self.base.store.clone()?;
        let parts = alerts::Parts {
            channels,
            words,
            rules,
            heartbeat,
            snapshots: self.base.snapshots.clone(),
            store,
            metrics: Arc::clone(&self.base.metrics),
            telemetry: Arc::clone(&self.base.telemetry),
            clock: self.base.clock.clone(),
        };
        Some(Delivery::after(parts, self.estate.clone()))
    }

    /// `None`: nothing is kept, so nothing can be renewed.
    #[allow(clippy::too_many_arguments)] // each comes from another part of what runs
    fn renewals(
        &self,
        policy: crate::domain::policy::RenewalPolicy,
        rules: Rules,
        page: Option<String>,
        providers: &Providers,
        delivery: Option<&Delivery>,
        before: Option<Renewals>,
    ) -> Option<Renewals> {
        let parts = renewal::Parts {
            policy,
            rules: delivery.map_or_else(|| watch::Sender::new(Arc::new(rules)).subscribe(), Delivery::rules),
            page,
            snapshots: self.base.snapshots.clone(),
            providers: providers.clone(),
            store: self.base.store.clone()?,
            wishes: self.wishes.clone(),
            written: delivery.map(Delivery::written).unwrap_or_default(),
            metrics: Arc::clone(&self.base.metrics),
            telemetry: Arc::clone(&self.base.telemetry),
            clock: self.base.clock.clone(),
        };
        let renewals = Renewals::new(parts);
        Some(match before {
            Some(before) => renewals.in_place_of(before),
            None => renewals,
        })
    }

    fn run_delivery(&mut self, delivery: Option<Delivery>) {
        let Some(mut delivery) = delivery else {
            self.base.pulses.alerts.rest();
            return self.base.metrics.show_channels(Vec::new());
        };
        self.base.pulses.alerts.beat();
        delivery.beats(self.base.pulses.alerts.clone());
        self.estate = delivery.estate();
        let stop = Stop::new();
        let work = delivery.run(stop.listener());
        self.delivery = Some(self.begin_part("the delivery of messages", stop, work));
    }

    fn run_renewals(&mut self, renewals: Option<Renewals>) {
        let Some(mut renewals) = renewals else { return self.base.pulses.renewals.rest() };
        self.base.pulses.renewals.beat();
        renewals.beats(self.base.pulses.renewals.clone());
        let hand_over = Stop::new();
        let work = renewals.run_or_hand_over(self.stop.listener(), hand_over.listener());
        self.renewals = Some(self.begin_part("the renewal loop", hand_over, work));
    }

    /// From now on these routes answer.
    fn show(&self, view: &Arc<View>, guard: &Guard) {
        let now = self.base.clock.clone();
        let state = AppState {
            snapshot: self.base.snapshots.clone(),
            metrics: Arc::clone(&self.base.metrics),
            now: Arc::new(move || now.now()),
        };
        let app = web::control_router(state.clone(), Arc::clone(view));
        self.controlled.send_replace(Arc::new(Served { app, guard: Guard::default() }));
        let app = web::router(state, Arc::clone(view));
        self.served.send_replace(Arc::new(Served { app, guard: guard.clone() }));
    }

    /// Listens where it is new, and no longer where nobody wants it.
    fn listen(&mut self, new: Vec<(SocketAddr, TcpListener)>, known: &Known) {
        let Some(wanted) = &known.listen else { return };
        self.listeners.retain(|address, stop| {
            let stays = wanted.contains(address);
            if !stays {
                tracing::info!(%address, "not listened on any more");
                stop.request();
            }
            stays
        });
        for (address, listener) in new {
            let stop = Stop::new();
            let (port, asked) = (self.port.clone(), stop.listener());
            let ended = asked.clone();
            self.loops.spawn(async move {
                port.serve(listener, asked).await;
                (!ended.is_requested()).then_some("the web server")
            });
            self.listeners.insert(address, stop);
        }
    }

    fn follow(&mut self, guard: &Guard) {
        // the one before is asked to stop by being let go
        self.follow = guard.tls.clone().map(|tls| {
            let stop = Stop::new();
            let asked = stop.listener();
            self.loops.spawn(async move {
                tls.follow(TLS_FILES_EVERY, asked).await;
                None
            });
            stop
        });
    }

    fn control(&mut self, listener: UnixListener) {
        let (port, stop) = (Port::new(self.controlled.subscribe(), limits()), self.stop.listener());
        self.keep_going("the control socket", async move { port.serve(listener, stop).await });
    }

    fn keep_going(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.loops.spawn(async move {
            work.await;
            Some(name)
        });
    }

    fn begin_part<T: Send + 'static>(
        &mut self,
        name: &'static str,
        stop: Stop,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Part<T> {
        let (told, done) = oneshot::channel();
        let asked = stop.listener();
        let task = self.loops.spawn(async move {
            // nobody listens when the whole daemon ends
            let _ = told.send(work.await);
            (!asked.is_requested()).then_some(name)
        });
        Part { stop, done, task }
    }

    /// What people see and do of what is told.
    fn alerting(&self, delivery: &Delivery) -> Option<Alerting> {
        Some(Alerting {
            rules: delivery.rules(),
            board: delivery.board(),
            ask: delivery.ask(),
            desk: Arc::new(delivery.office()),
            store: self.base.store.clone()?,
            renewal: delivery.renewal(),
            silence_id: alerts::silence_id,
        })
    }

    fn view(&self, settings: web::view::ViewSettings, inside: Inside) -> View {
        let now = self.base.clock.clone();
        View {
            snapshot: self.base.snapshots.clone(),
            settings: watch::Sender::new(Arc::new(settings)).subscribe(),
            now: Box::new(move || now.now()),
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.base.started_at,
            timeline_start: self.base.clock.wall_of(Duration::ZERO),
            inside,
        }
    }

    fn service(&self) -> Service {
        Service {
            notify: self.base.notify.clone(),
            watchdog: self.base.watchdog,
            pulses: self.base.pulses.clone(),
            snapshots: self.base.snapshots.clone(),
            reading: self.base.reading.subscribe(),
            numbers: self.numbers.subscribe(),
        }
    }
}

/// Waits for a loop that ends although nobody asked it to. A panic is such an end: it was told where it happened.
async fn ended(loops: &mut JoinSet<Option<&'static str>>) -> Ended {
    loop {
        match loops.join_next().await {
            Some(Ok(Some(name))) => return Ended(name),
            Some(Ok(None)) => {}
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(_)) | None => return Ended("a loop"),
        }
    }
}

fn limits() -> Limits {
    // before the end of everything, so that what is cut off is told
    Limits { drain: GRACE.mul_f32(0.9), ..Limits::default() }
}

/// Calls a second that may go to the detail API of a scope now.
fn pace(providers: Providers) -> Pace {
    Box::new(move |scope| providers.get(&scope.account).map(|provider| provider.inspect_rate(scope)))
}

/// Carries what each call may be used for to the metrics page.
async fn carry_rates(providers: watch::Receiver<Providers>, metrics: Arc<MetricsPage>, stop: Shutdown) {
    loop {
        let rates: Vec<_> = providers.borrow().values().flat_map(|provider| provider.rates()).collect();
        let limits = rates.into_iter().map(|rate| RateLimit {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_ends_or_panics_ends_the_daemon_and_one_that_was_asked_to_does_not() {
        let mut loops = JoinSet::new();
        loops.spawn(async { None });
        loops.spawn(std::future::pending()).abort();
        loops.spawn(async { Some("the poll loop") });
        assert_eq!(ended(&mut loops).await.0, "the poll loop");
        loops.spawn(async { panic!("a defect") });
        assert_eq!(ended(&mut loops).await.0, "a loop");
    }
}
