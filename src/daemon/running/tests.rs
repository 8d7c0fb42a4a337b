//! Whether the signs of life are those of the loops: each is made to stand still for good, and nobody vouches for it.

use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;

use chrono::TimeDelta;
use tokio::sync::oneshot;

use super::*;
use crate::call::CallError;
use crate::config::{self, Config, Loaded};
use crate::daemon::poll::{Account, Filter};
use crate::daemon::pulse::Pulse;
use crate::daemon::reload::Ask;
use crate::daemon::{Daemon, Host, Source};
use crate::domain::absence::Named;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::domain::policy::PollPolicy;
use crate::http::Rate;
use crate::problem::Problems;
use crate::provider::{BoxFuture, Calls};
use crate::systemd::Notify;

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// Watches nothing, and is asked for that by the poll loop itself, which waits as long as somebody holds the gate.
#[derive(Debug)]
struct Blocking(Arc<Mutex<()>>);

impl Provider for Blocking {
    fn configured_scopes(&self, _: &str) -> Option<Vec<Scope>> {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Some(Vec::new())
    }

    fn scopes<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<ScopeList, CallError>> {
        unreachable!("the scopes are configured")
    }

    fn named(&self) -> Named {
        Named { regions: true, projects: true }
    }

    fn discover<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>> {
        unreachable!("there are no scopes")
    }

    fn inspect<'a>(&'a self, _: &'a Scope, _: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>> {
        unreachable!("there are no scopes")
    }

    fn calls(&self, _: &str) -> Calls {
        Calls::default()
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        None
    }

    fn rates(&self) -> Vec<Rate> {
        Vec::new()
    }

    fn inspect_rate(&self, _: &Scope) -> f64 {
        10.0
    }
}

fn account(gate: &Arc<Mutex<()>>) -> Account {
    Account {
        name: "still".into(),
        provider_name: "fake".into(),
        services: vec!["redis"],
        provider: Arc::new(Blocking(Arc::clone(gate))),
        filter: Filter::default(),
    }
}

/// Of a daemon with a store and a channel, whose cloud nobody reaches.
fn config(folder: &std::path::Path) -> Config {
    let text = format!(
        "[[account]]\nname = 'prod'\nprovider = 'alibaba'\nservices = ['redis']\n\
         credentials = {{ access_key_id = 'id', access_key_secret = 'secret' }}\nendpoints = {{ redis = 'http://127.0.0.1:1' }}\n\
         [[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://127.0.0.1:1/'\n\
         [store]\nurl = 'sqlite:{}'\n",
        folder.join("notafter.db").display()
    );
    let mut config = config::parse(&text, "c.toml").unwrap_or_else(|problems| panic!("{problems}"));
    config.web.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config
}

async fn prepared(folder: &std::path::Path, notify: Notify) -> Daemon {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let path = folder.to_owned();
    let read = move || Ok(Loaded { config: config(&path), warnings: Problems::new("c.toml") });
    let source = Some(Source { read: Arc::new(read), env: |_| None });
    let host = Host { notify, source, watchdog: Some(Duration::from_millis(600)), ..Host::default() };
    Daemon::prepare_in(host, config(folder), &|_| None).await.expect("prepared")
}

/// Holds a lock on a thread of its own until the sender goes.
fn hold<T: Send + 'static>(lock: T, take: impl FnOnce(&T, &dyn Fn()) + Send + 'static) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (taken, is_taken) = mpsc::channel();
    std::thread::spawn(move || {
        take(&lock, &|| {
            taken.send(()).expect("somebody waits");
            // an error is the release
            let _ = released.recv();
        });
    });
    is_taken.recv().expect("taken");
    release
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let began = Instant::now();
    while !wanted() {
        assert!(began.elapsed() < LONG, "never {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the service manager heard since it was asked last.
fn heard(manager: &UnixDatagram) -> Vec<String> {
    let one = || {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    };
    std::iter::from_fn(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poll_loop_that_is_blocked_ends_the_signs_of_life() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("bound");
    manager.set_nonblocking(true).expect("it can");
    let daemon = prepared(folder.path(), Notify::from_env(&|_| Some(path.display().to_string()))).await;
    let (changes, pulses) = (daemon.poller.changes(), daemon.base.pulses.clone());
    let (stop, gate) = (Stop::new(), Arc::new(Mutex::new(())));
    let running = tokio::spawn(daemon.run(stop.listener()));
    let is_fed = || heard(&manager).contains(&"WATCHDOG=1".to_owned());
    until("fed", is_fed).await;

    let release = hold(Arc::clone(&gate), |gate, wait| {
        let _held = gate.lock().expect("not poisoned");
        wait();
    });
    let changing =
        tokio::spawn(async move { changes.apply(vec![account(&gate)], PollPolicy::default()).await });
    until("found out", || pulses.standing_still() == Some("the poll loop")).await;
    // one may have been on its way
    tokio::time::sleep(Duration::from_millis(500)).await;
    heard(&manager);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_fed(), "ten intervals of the service manager, over a loop that stands still");

    drop(release);
    changing.await.expect("changed");
    until("fed again", is_fed).await;
    stop.request();
    running.await.expect("no panic").expect("ends well");
}

/// The alert loop and the renewal loop publish at every turn, and wait for whoever is reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_alert_loop_and_a_renewal_loop_that_are_blocked_have_no_pulse() {
    /// Each turns once in twenty seconds at least.
    const TURN: Duration = Duration::from_secs(22);
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = prepared(folder.path(), Notify::default()).await;
    let (changes, pulses) = (daemon.poller.changes(), daemon.base.pulses.clone());
    let Daemon { base, draft, poller, control, store, sockets, .. } = daemon;
    let running = Running::begin(base, draft, poller, control, store, sockets);
    // both have something to do at once then, and do not wait for the next turn
    let nudge = async || changes.apply(vec![account(&Arc::default())], PollPolicy::default()).await;
    nudge().await;
    let alerts = running.estate.board.subscribe();
    let renewals = running.numbers.borrow().renewals.clone().expect("a renewal loop");
    until("a turn of both", || alerts.borrow().at.is_some() && renewals.borrow().at.is_some()).await;

    let both = [
        hold(alerts, |board, wait| {
            let _reading = board.borrow();
            wait();
        }),
        hold(renewals, |board, wait| {
            let _reading = board.borrow();
            wait();
        }),
    ];
    nudge().await;
    let have_a_pulse = || [&pulses.alerts, &pulses.renewals].map(|pulse: &Pulse| pulse.is_well(TURN));
    until("both without a pulse", || have_a_pulse() == [false, false]).await;
    drop(both);
    nudge().await;
    until("both with a pulse", || have_a_pulse() == [true, true]).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reload_that_waits_for_the_renewal_loop_keeps_everything_told_meanwhile() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = prepared(folder.path(), Notify::default()).await;
    let changes = daemon.poller.changes();
    let Daemon { base, draft, poller, control, store, sockets, .. } = daemon;
    let mut running = Running::begin(base, draft, poller, control, store, sockets);
    let told = running.estate.board.subscribe();
    // a renewal loop whose round goes on for as long as the store is silent
    let (hand_over, done) = oneshot::channel();
    let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
    running.renewals = Some(Part { stop: Stop::new(), done, task });
    let (answer, mut answered) = oneshot::channel();
    let reloading = tokio::spawn(async move {
        running.obey(Ask::Reload { by: "alice".into(), answer }).await;
        running
    });
    for turn in 0..2 {
        let before = told.borrow().at;
        changes.apply(vec![account(&Arc::default())], PollPolicy::default()).await;
        until(&format!("evaluated, {turn}"), || told.borrow().at > before).await;
    }
    assert!(answered.try_recv().is_err(), "it waits");
    hand_over.send(None).unwrap_or_else(|_| panic!("nobody waits for it"));
    let running = reloading.await.expect("no panic");
    assert_eq!(answered.try_recv().expect("an answer").map(|done| done.channels), Ok(1));
    assert!(running.renewals.is_some() && running.delivery.is_some());
    running.end().await;
}

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
