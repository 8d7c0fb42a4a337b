//! A simulated cloud with two accounts, and the poll loop running over it.

use std::sync::{Arc, LazyLock, Once};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::clock::Clock;
use notafter::daemon::poll::{Account, Filter, Mode, Poller};
use notafter::domain::identity::Scope;
use notafter::domain::policy::PollPolicy;
use notafter::domain::resource::Resource;
use notafter::domain::snapshot::{ScopeView, Snapshot};
use notafter::http::{Http, Route};
use notafter::provider::alibaba::{Alibaba, Api, Templates};
use notafter::provider::keys::{FixedKeys, Keys};
use notafter::secret::Secret;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::{self as sim, AlibabaCloud, Engine, Fleet, Instance, Region};
use notafter::telemetry::Telemetry;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const UID: &str = "1000000000000001";
pub(crate) const OTHER_UID: &str = "1000000000000002";
pub(crate) const REGION: &str = "cn-hangzhou";
pub(crate) const OTHER_REGION: &str = "eu-central-1";
pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
pub(crate) const TOKEN: &str = "PLANTED-TOKEN-4711";

/// In this many days from the start of the tests, to the second.
pub(crate) fn days(days: i64) -> DateTime<Utc> {
    static START: LazyLock<i64> = LazyLock::new(|| Utc::now().timestamp());
    DateTime::from_timestamp(*START, 0).expect("in range") + TimeDelta::days(days)
}

/// Two accounts and two regions, no instances.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![
        Region::new(REGION, "华东1（杭州）", "China (Hangzhou)"),
        Region::new(OTHER_REGION, "德国", "Germany"),
    ]);
    for (uid, name) in [(UID, "prod"), (OTHER_UID, "other")] {
        let keys = vec![sim::Key::new(name, SECRET)];
        fleet.accounts.push(sim::Account { uid: uid.into(), name: name.into(), keys });
    }
    fleet
}

pub(crate) fn instance(engine: Engine, id: &str) -> Instance {
    Instance::new(engine, id, UID, REGION, days(100))
}

/// Short enough for a test, in the proportions of a real policy.
pub(crate) fn quick() -> PollPolicy {
    PollPolicy {
        max_age: Duration::from_millis(600),
        min_interval: Duration::from_millis(300),
        discover_every: Duration::from_millis(400),
        timeout: Duration::from_millis(1500),
        concurrency: 64,
    }
}

/// What an account of the simulated cloud needs to be polled.
pub(crate) struct Build<'a> {
    pub(crate) name: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) services: Vec<&'static str>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) rate_limit: Option<f64>,
    pub(crate) filter: Filter,
}

impl<'a> Build<'a> {
    pub(crate) fn account(name: &'a str) -> Self {
        Self {
            name,
            key_id: name,
            secret: SECRET,
            token: None,
            services: vec!["redis", "rds", "mongodb"],
            regions: None,
            rate_limit: Some(5000.0),
            filter: Filter::default(),
        }
    }

    pub(crate) fn build(self, base: &str, http: &Http) -> Account {
        let (provider_name, name): (Arc<str>, Arc<str>) = (Alibaba::NAME.into(), self.name.into());
        let route = Route { proxy: None, plain_http: true, only_loopback: true };
        let http = http.account(&provider_name, &name, route, self.rate_limit).expect("a client");
        let token = self.token.map(Secret::new);
        let (id, secret) = (Secret::new(self.key_id), Secret::new(self.secret));
        let keys = Arc::new(FixedKeys::new(Keys { id, secret, token, expires: None }));
        let base = || Some(base.to_owned());
        let api = Api::new(http, keys, Templates { redis: base(), rds: base(), mongodb: base() });
        let provider = Arc::new(Alibaba::new(api, Arc::clone(&name), self.regions, false));
        Account { name, provider_name, services: self.services, provider, filter: self.filter }
    }
}

/// The poll loop over a simulated cloud.
pub(crate) struct Watch {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) telemetry: Arc<Telemetry>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: Stop,
    running: JoinHandle<()>,
}

impl Watch {
    /// Over both accounts, in a quick rhythm.
    pub(crate) async fn over(fleet: Fleet) -> Self {
        Self::with(fleet, quick(), Mode::Continuous, vec![Build::account("prod"), Build::account("other")])
            .await
    }

    pub(crate) async fn with(fleet: Fleet, policy: PollPolicy, mode: Mode, accounts: Vec<Build<'_>>) -> Self {
        crypto();
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
        let (clock, telemetry) = (Clock::system(), Arc::new(Telemetry::new()));
        let http = Http::new(policy.timeout, policy.concurrency, clock.clone(), Arc::clone(&telemetry));
        let accounts = accounts.into_iter().map(|build| build.build(&cloud.base_url(), &http)).collect();
        let poller = Poller::new(accounts, policy, mode, clock, Arc::clone(&telemetry));
        let (stop, snapshots) = (Stop::new(), poller.snapshots());
        let running = tokio::spawn(poller.run(stop.listener()));
        Self { cloud, telemetry, snapshots, stop, running }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Waits until the snapshot is as wanted; fails with `what` and the state of things after ten seconds.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.snapshots.clone();
        let seen = snapshots.wait_for(|snapshot| wanted(snapshot));
        let in_time = tokio::time::timeout(Duration::from_secs(10), seen).await.is_ok();
        assert!(in_time, "not seen within 10 s: {what}\n{:#?}", Summary(&self.snapshot()));
        self.snapshot()
    }

    /// Waits until every resource that can be read was read.
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
        tokio::time::timeout(Duration::from_secs(5), self.running)
            .await
            .expect("it stops")
            .expect("it ends well");
    }
}

pub(crate) fn find<'s>(snapshot: &'s Snapshot, id: &str) -> Option<&'s Arc<Resource>> {
    snapshot.resources().map(|(_, resource)| resource).find(|resource| &*resource.id == id)
}

/// A scope; an empty one while it is not known yet.
pub(crate) fn scope(snapshot: &Snapshot, account: &str, region: &str, service: &str) -> Arc<ScopeView> {
    let wanted =
        |scope: &Scope| &*scope.account == account && &*scope.region == region && &*scope.service == service;
    let found = snapshot.scopes.iter().find(|(scope, _)| wanted(scope));
    found.map(|(_, view)| Arc::clone(view)).unwrap_or_default()
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

pub(crate) fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    });
}
