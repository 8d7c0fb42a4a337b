//! The daemon while it runs, and how a reload puts the next configuration in the place of the one that is used.
//!
//! What stays: the poll loop (it takes a change), the store, the counters, the metrics page, the control socket, and the web
//! port with its connections (the next request is answered by the new routes). What is replaced: the delivery of messages
//! and the renewal loop, each by one that goes on with what the other knew; the routes; listeners of addresses that are
//! new or gone. Everything that may fail was made before any of that begins (`draft`), so a reload happens or does not.
//!
//! `replace` reads and puts in place, `parts` makes and begins what a reload replaces, `listeners` has the addresses and
//! the files that are followed.

mod listeners;
mod parts;
mod replace;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Base;
use super::alerts::Estate;
use super::draft::{Draft, Known};
use super::keep::Found;
use super::poll::{Changes, Poller, Wishes};
use super::renewal::Renewals;
use super::service::{Numbers, Service};
use crate::metrics::{MetricsPage, RateLimit};
use crate::provider::Provider;
use crate::shutdown::{Shutdown, Stop};
use crate::web::control::Socket;
use crate::web::guard::Guard;
use crate::web::server::{Limits, Port, Served};
use listeners::Listening;
use parts::Part;

/// How often the pace of each call is carried to the metrics page.
const RATES_EVERY: Duration = Duration::from_secs(5);
/// What is still under way when a stop is asked for gets this long.
const GRACE: Duration = Duration::from_secs(4);

type Providers = BTreeMap<Arc<str>, Arc<dyn Provider>>;

/// A loop that ended by itself.
pub(super) struct Ended(pub(super) &'static str);

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
    listeners: BTreeMap<SocketAddr, Listening>,
    /// Looks after the files of our own TLS.
    follow: Option<Stop>,
    /// Looks after the files that are used to tell with.
    follow_told: Option<Stop>,
    /// What is told as refused is such a file, and not a configuration.
    bad_file: bool,
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
        let has_messages = store.as_ref().is_some_and(Found::has_messages);
        let listener = control.as_mut().and_then(Socket::take_listener);
        let mut this = Self::still(base, &draft.known, &poller, control);
        this.use_draft(draft, None, has_messages);
        this.serve(sockets, listener);
        this.begin_loops(poller, store);
        let service = this.service();
        service.ready();
        if service.notify.is_wanted() {
            let stop = this.stop.listener();
            this.keep_going("the word to the service manager", service.run(stop));
        }
        this
    }

    /// Nothing runs yet.
    fn still(base: Base, known: &Known, poller: &Poller, control: Option<Socket>) -> Self {
        let nothing = || Arc::new(Served { app: axum::Router::new(), guard: Guard::default() });
        let (served, controlled) = (watch::Sender::new(nothing()), watch::Sender::new(nothing()));
        let port = Port::new(served.subscribe(), limits());
        Self {
            known: known.clone(),
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
            follow_told: None,
            bad_file: false,
            estate: Estate::default(),
            delivery: None,
            renewals: None,
            base,
            _control: control,
        }
    }

    /// Answers on the control socket and on sockets of the service manager, for as long as it runs.
    fn serve(&mut self, sockets: Vec<TcpListener>, control: Option<UnixListener>) {
        if let Some(listener) = control {
            let (port, stop) = (Port::new(self.controlled.subscribe(), limits()), self.stop.listener());
            self.keep_going("the control socket", async move { port.serve(listener, stop).await });
        }
        for socket in sockets {
            let (port, stop) = (self.port.clone(), self.stop.listener());
            self.keep_going("the web server", async move { port.serve(socket, stop).await });
        }
    }

    fn begin_loops(&mut self, poller: Poller, store: Option<Found>) {
        if let Some(store) = store {
            let (metrics, clock) = (Arc::clone(&self.base.metrics), self.base.clock.clone());
            let keep = store.keep(self.base.snapshots.clone(), metrics, clock);
            self.keep_going("the store loop", keep);
        }
        let stop = self.stop.listener();
        self.base.pulses.poll.beat();
        self.keep_going("the poll loop", poller.run(stop.clone()));
        let rates = carry_rates(self.providers.subscribe(), Arc::clone(&self.base.metrics), stop);
        self.keep_going("the rate loop", rates);
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
        let listening = self.listeners.values().map(|listening| &listening.stop);
        for stop in listening.chain(&self.follow).chain(&self.follow_told) {
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

    fn keep_going(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.loops.spawn(async move {
            work.await;
            Some(name)
        });
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
