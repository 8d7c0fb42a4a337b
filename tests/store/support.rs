//! A simulated cloud, and the daemon over it in this process.

use std::sync::{Arc, Once};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use notafter::config::{self, Config};
use notafter::daemon::Daemon;
use notafter::domain::resource::Resource;
use notafter::domain::snapshot::Snapshot;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Region};
use notafter::store::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
pub(crate) const UID: &str = "1000000000000001";
pub(crate) const REGIONS: [&str; 2] = ["cn-hangzhou", "eu-central-1"];

/// As often as the documented defaults say: nothing is due again while a test runs.
pub(crate) const PATIENT: &str = "";
/// So often that something is always due.
pub(crate) const QUICK: &str =
    "[poll]\nmax_age = \"4s\"\nmin_interval = \"2s\"\ndiscover_every = \"3s\"\ntimeout = \"5s\"\n";
/// Of every service in every region.
pub(crate) const ALL: &str = "services = [\"redis\", \"rds\", \"mongodb\"]\n";

/// A fixed time to count from.
pub(crate) fn moment() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 8, 0, 0).unwrap()
}

/// One account, two regions, three services, five instances in each.
pub(crate) fn fleet() -> Fleet {
    let mut fleet = Fleet::new(REGIONS.map(|id| Region::new(id, "华东", id)).to_vec());
    fleet.accounts.push(Account {
        uid: UID.into(),
        name: "prod".into(),
        keys: vec![Key::new("prod", SECRET)],
    });
    for (engine, region) in [Engine::Redis, Engine::PostgreSql, Engine::MongoReplica]
        .into_iter()
        .flat_map(|engine| REGIONS.map(|region| (engine, region)))
    {
        for n in 0..5 {
            let id = format!("{}-{region}-{n}", engine.product().service());
            let ends = Utc::now() + TimeDelta::days(100 + n);
            fleet.insert(Instance::new(engine, &id, UID, region, ends));
        }
    }
    fleet
}

pub(crate) async fn cloud() -> AlibabaCloud {
    crypto();
    AlibabaCloud::start(fleet(), Utc::now).await.expect("a free port")
}

pub(crate) fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    });
}

/// The account `prod` of a simulated cloud. `account` are further lines of its table, `before` stands before it.
pub(crate) fn config_text(cloud: &AlibabaCloud, store: &str, before: &str, account: &str) -> String {
    let base = cloud.base_url();
    format!(
        "{before}\n[[account]]\nname = \"prod\"\nprovider = \"alibaba\"\nrate_limit = 5000\n{account}\
         credentials = {{ access_key_id = \"prod\", access_key_secret = \"{SECRET}\" }}\n\
         endpoints = {{ redis = \"{base}\", rds = \"{base}\", mongodb = \"{base}\" }}\n\
         [store]\nurl = \"{store}\"\n"
    )
}

/// A running daemon.
pub(crate) struct Running {
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What was known before anything was asked.
    pub(crate) first: Arc<Snapshot>,
    pub(crate) store: Handle,
    address: std::net::SocketAddr,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(text: &str) -> Self {
        crypto();
        let parsed = config::parse(text, "config.toml").unwrap_or_else(|problems| panic!("{problems}"));
        let mut parsed: Config = parsed;
        parsed.web.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let daemon = Daemon::prepare(parsed, &|_| None).await.unwrap();
        let (snapshots, address, stop) = (daemon.snapshots(), daemon.addresses()[0], Stop::new());
        let store = daemon.store().expect("one is configured");
        let first = Arc::clone(&snapshots.borrow());
        let asked = stop.listener();
        let task = tokio::spawn(async move { daemon.run(asked).await.unwrap() });
        Self { snapshots, first, store, address, stop, task }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Waits until every instance of the fleet was read.
    pub(crate) async fn until_read(&self, count: usize) {
        self.until("everything was read", |snapshot| {
            snapshot.resources().filter(|(_, resource)| resource.reading.is_some()).count() == count
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
        let mut snapshots = self.snapshots.clone();
        let seen = snapshots.wait_for(|snapshot| wanted(snapshot));
        let in_time = tokio::time::timeout(Duration::from_secs(20), seen).await.is_ok();
        assert!(in_time, "not seen within 20 s: {what}\n{:#?}", self.snapshot());
    }

    /// Asks its port.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until the gauge of the store has this value.
    pub(crate) async fn until_store_is(&self, up: u8) {
        let line = format!("\nnotafter_store_up {up}\n");
        for _ in 0..200 {
            if self.get("/metrics").await.1.contains(&line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("notafter_store_up did not become {up} within 20 s");
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(self) {
        drop(self.store);
        self.stop.request();
        tokio::time::timeout(Duration::from_secs(6), self.task).await.expect("it stops").unwrap();
    }
}

/// What a store keeps of a resource, with times as precise as it keeps them.
pub(crate) fn kept(resource: &Resource) -> Resource {
    let mut resource = resource.clone();
    resource.due = None;
    resource.looked_at = resource.looked_at.map(to_millis);
    if let Some(reading) = &mut resource.reading {
        reading.at = to_millis(reading.at);
        for certificate in &mut reading.certificates {
            certificate.not_after = to_millis(certificate.not_after);
        }
    }
    if let Some(failure) = &mut resource.failure {
        failure.at = to_millis(failure.at);
    }
    resource
}

fn to_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap()
}
