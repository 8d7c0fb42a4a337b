//! The poll loop over a simulated cloud.

use std::sync::Arc;
use std::time::Duration;

use notafter::clock::Clock;
use notafter::daemon::poll::{Account, Mode, Poller};
use notafter::domain::policy::PollPolicy;
use notafter::domain::resource::Resource;
use notafter::domain::snapshot::Snapshot;
use notafter::http::Http;
use notafter::shutdown::Stop;
use notafter::telemetry::Telemetry;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::crypto;

/// Long enough for anything that happens at all, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_mins(1);

/// The poll loop over a simulated cloud.
pub(crate) struct Watch<C> {
    pub(crate) cloud: C,
    pub(crate) telemetry: Arc<Telemetry>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: Stop,
    running: JoinHandle<()>,
}

impl<C> Watch<C> {
    /// Over the accounts that are made for it.
    pub(crate) fn start(
        cloud: C,
        policy: PollPolicy,
        mode: Mode,
        accounts: impl FnOnce(&C, &Http) -> Vec<Account>,
    ) -> Self {
        crypto();
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let http = Http::new(policy.timeout, policy.concurrency, clock.clone(), Arc::clone(&telemetry));
        let accounts = accounts(&cloud, &http);
        let poller = Poller::new(accounts, policy, mode, clock, Arc::clone(&telemetry));
        let (stop, snapshots) = (Stop::new(), poller.snapshots());
        let running = tokio::spawn(poller.run(stop.listener()));
        Self { cloud, telemetry, snapshots, stop, running }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    pub(crate) fn receiver(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Waits until the snapshot is as wanted; fails with `what` and the state of things when patience ends.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        self.within(PATIENCE, what, wanted).await
    }

    /// The same with a patience of its own.
    pub(crate) async fn within(
        &self,
        patience: Duration,
        what: &str,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        let seen = tokio::time::timeout(patience, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
        assert!(seen.is_ok(), "not seen within {patience:?}: {what}\n{:#?}", Summary(&self.snapshot()));
        self.snapshot()
    }

    /// Waits until every scope was listed and every resource that can be read was read.
    pub(crate) async fn until_read(&self) -> Arc<Snapshot> {
        let read = |snapshot: &Snapshot| {
            snapshot.is_ready() && snapshot.resources().all(|(_, resource)| resource.looked_at.is_some())
        };
        self.until("everything was looked at", read).await
    }

    /// Waits for the end of a single round.
    pub(crate) async fn finished(self) -> Arc<Snapshot> {
        let Self { running, snapshots, .. } = self;
        tokio::time::timeout(Duration::from_mins(1), running).await.expect("it ends").expect("it ends well");
        Arc::clone(&snapshots.borrow())
    }

    /// Stops the loop; a defect in it fails the test.
    pub(crate) async fn end(self) {
        self.stop.request();
        let ended = tokio::time::timeout(Duration::from_secs(5), self.running).await;
        ended.expect("it stops").expect("it ends well");
    }
}

/// Runs cases beside each other, each over a cloud of its own; the first that fails fails the test.
pub(crate) async fn beside_each_other(
    cases: impl IntoIterator<Item = impl Future<Output = ()> + Send + 'static>,
) {
    let mut running = JoinSet::new();
    for case in cases {
        running.spawn(case);
    }
    while let Some(done) = running.join_next().await {
        if let Err(error) = done {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

pub(crate) fn find<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s Arc<Resource>> {
    snapshot.resources().map(|(_, resource)| resource).find(|resource| &*resource.id == id)
}

/// A short view of a snapshot for failures.
struct Summary<'s>(&'s Snapshot);

impl std::fmt::Debug for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (scope, view) in &self.0.scopes {
            let failure = view.failure().map(|failure| &failure.text);
            writeln!(f, "{scope}: up {} resources {} {failure:?}", view.is_up(), view.resources.len())?;
            for resource in view.resources.iter().take(5) {
                let failure = resource.failure.as_ref().map(|failure| &failure.text);
                writeln!(f, "  {} {:?} {failure:?}", resource.id, resource.state())?;
            }
        }
        Ok(())
    }
}
