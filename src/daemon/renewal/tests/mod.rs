//! The real loop over the simulated cloud, with two clocks that a test moves and a store that it can spoil.

mod accounts;
mod answers;
mod clocks;
mod orders;
mod own;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio::sync::watch;

use super::keeping::{Away, Keeping, Known};
use super::{Parts, Renewals};
use crate::call::BoxFuture;
use crate::clock::Clock;
use crate::daemon::poll::{Mode, Poller};
use crate::domain::alert::board::Rules;
use crate::domain::alert::message::{Item, RenewalNews};
use crate::domain::alert::outbox::State as Delivery;
use crate::domain::alert::renewals::Letter;
use crate::domain::alert::routing::{ChannelRules, Routing};
use crate::domain::finding::Stage;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{
    AlertPolicy, EVERY_DAY, Hours, PollPolicy, RenewalMode, RenewalPolicy, RenewalRule, Route, Window,
};
use crate::domain::reason::{Failure, Reason};
use crate::domain::renewal::attempt::Attempt;
use crate::domain::renewal::ledger::Change;
use crate::domain::snapshot::Snapshot;
use crate::http::{Http, Route as Way};
use crate::metrics::MetricsPage;
use crate::provider::Provider;
use crate::provider::alibaba::{Alibaba, Api, Templates};
use crate::provider::keys::{FixedKeys, Keys};
use crate::secret::Secret;
use crate::sim::alibaba::{Account, AlibabaCloud, Fleet, Instance, Key, Region, Renewal};
use crate::store::{self, Handle, Holder, Store};
use crate::telemetry::Telemetry;

pub(super) const REGION: &str = "cn-hangzhou";
const SECRET: &str = "PLANTED-SECRET-4711";
/// How long a renewal takes at the cloud.
const TAKES: TimeDelta = TimeDelta::minutes(20);

/// A wall clock that the test moves.
#[derive(Clone)]
pub(super) struct Time(Arc<AtomicI64>);

impl Time {
    fn new(at: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(at.timestamp_millis())))
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).expect("in range")
    }

    pub(super) fn pass(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

/// What a store does with a change, beside writing it.
type Mood = Box<dyn FnMut(&Attempt) -> Result<(), Away> + Send>;

/// The store, and what it does beside.
pub(super) struct Moody {
    inner: Handle,
    mood: Mutex<Option<Mood>>,
}

impl Moody {
    /// Asked before each change; an error keeps it from being written.
    pub(super) fn set(&self, mood: impl FnMut(&Attempt) -> Result<(), Away> + Send + 'static) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(mood));
    }

    pub(super) fn calm_down(&self) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Keeping for Moody {
    fn read(&self, now: DateTime<Utc>) -> BoxFuture<'_, Result<Known, Away>> {
        self.inner.read(now)
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Change],
        letters: &'a [Letter],
        now: DateTime<Utc>,
        seen: Option<i64>,
    ) -> BoxFuture<'a, Result<bool, Away>> {
        let mut mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = changes.iter().try_for_each(|change| match &mut *mood {
            Some(mood) => mood(&change.attempt),
            None => Ok(()),
        });
        match asked {
            Ok(()) => self.inner.write(changes, letters, now, seen),
            Err(away) => Box::pin(async move { Err(away) }),
        }
    }
}

/// A loop, and everything around it.
pub(super) struct House {
    /// The machine's clock.
    pub(super) ours: Time,
    /// The cloud's.
    pub(super) theirs: Time,
    pub(super) cloud: AlibabaCloud,
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    snapshot: Snapshot,
    snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) store: Arc<Store>,
    pub(super) keeping: Arc<Moody>,
    pub(super) renewals: Renewals,
    _holder: Holder,
    _folder: tempfile::TempDir,
}

/// Everything is allowed, from midnight to four; announced an hour before.
pub(super) fn policy() -> RenewalPolicy {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("a time");
    let hours = Hours { from: time(0), to: time(4), days: EVERY_DAY.to_vec() };
    RenewalPolicy {
        mode: RenewalMode::Auto,
        announce: Duration::from_hours(1),
        allow: vec![RenewalRule {
            matcher: Matcher::parse(r#"cloud_provider="alibaba""#, LabelSet::CERTIFICATE).expect("valid"),
            window: Window::Local { timezone: Tz::UTC, hours },
            certificate: None,
            hook: None,
        }],
        ..RenewalPolicy::default()
    }
}

fn rules() -> Rules {
    let chat = ChannelRules { name: "chat".into(), least: Stage::Info, pager: false, replica: false };
    let route = Route {
        matcher: None,
        channels: vec!["chat".to_owned()],
        group_wait: Route::GROUP_WAIT,
        digest: None,
        quiet: None,
        thresholds: None,
        send_renewed: true,
        proceed: false,
    };
    Rules {
        accounts: BTreeMap::new(),
        alert: AlertPolicy::default(),
        poll: PollPolicy::default(),
        routing: Routing { channels: vec![chat], routes: vec![route] },
    }
}

/// An account of the simulated cloud by the name of its key.
fn provider(name: &str, base: &str, http: &Http) -> Arc<dyn Provider> {
    let (cloud, name): (Arc<str>, Arc<str>) = (Alibaba::NAME.into(), name.into());
    let way = Way { proxy: None, plain_http: true, only_loopback: true };
    let http = http.account(&cloud, &name, way, Some(5000.0)).expect("a client");
    let keys = Keys { id: Secret::new(&*name), secret: Secret::new(SECRET), token: None, expires: None };
    let base = || Some(base.to_owned());
    let templates = Templates { redis: base(), rds: base(), mongodb: base() };
    Arc::new(Alibaba::new(Api::new(http, Arc::new(FixedKeys::new(keys)), templates), name, None, false))
}

impl House {
    /// At eight in the evening.
    pub(super) async fn new(instances: Vec<Instance>) -> Self {
        let at = "2026-10-05T20:00:00Z".parse().expect("a date");
        Self::at(at, &["prod"], instances, policy(), Duration::from_secs(2)).await
    }

    /// With these accounts, whose uids are their names.
    pub(super) async fn at(
        at: DateTime<Utc>,
        accounts: &[&str],
        instances: Vec<Instance>,
        policy: RenewalPolicy,
        timeout: Duration,
    ) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let (ours, theirs) = (Time::new(at), Time::new(at));
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东", REGION)]);
        fleet.renewal = Renewal { takes: TAKES, life: TimeDelta::days(365) };
        let account = |name: &&str| Account {
            uid: (*name).into(),
            name: (*name).into(),
            keys: vec![Key::new(name, SECRET)],
        };
        fleet.accounts = accounts.iter().map(account).collect();
        for instance in instances {
            fleet.insert(instance);
        }
        let time = theirs.clone();
        let cloud = AlibabaCloud::start(fleet, move || time.now()).await.expect("a free port");
        let time = ours.clone();
        let clock = Clock::with_wall(move || time.now());
        let http = Http::new(timeout, 64, clock.clone(), Arc::new(Telemetry::new()));
        let made = |name: &&str| ((*name).into(), provider(name, &cloud.base_url(), &http));
        let providers: BTreeMap<Arc<str>, _> = accounts.iter().map(made).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("loop.db").display());
        let store = Arc::new(Store::open(&url).await.expect("a store"));
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let keeping = Arc::new(Moody { inner: handle.clone(), mood: Mutex::new(None) });
        let snapshots = watch::Sender::new(Arc::default());
        let parts = parts(policy, snapshots.subscribe(), providers.clone(), handle, clock);
        let renewals = Renewals::with_keeping(parts, Arc::clone(&keeping) as Arc<dyn Keeping>);
        let snapshot = Snapshot::default();
        Self {
            ours,
            theirs,
            cloud,
            providers,
            snapshot,
            snapshots,
            store,
            keeping,
            renewals,
            _holder: holder,
            _folder: folder,
        }
    }

    pub(super) fn pass(&self, by: TimeDelta) {
        self.ours.pass(by);
        self.theirs.pass(by);
    }

    /// What a poll loop would know of everything now.
    pub(super) async fn look(&mut self) {
        let now = self.ours.now();
        for provider in self.providers.values() {
            for service in ["redis", "rds", "mongodb"] {
                let Ok(list) = provider.scopes(service).await else { continue };
                for scope in list.scopes.into_iter().map(Arc::new) {
                    let Ok(listing) = provider.discover(&scope).await else { continue };
                    let view = self.snapshot.scope_mut(&scope);
                    drop(view.absorb_listing(listing, Duration::ZERO, now));
                    let ids: Vec<_> = view.resources.iter().map(|found| Arc::clone(&found.id)).collect();
                    for id in ids {
                        let Ok(seen) = provider.inspect(&scope, &id).await else { continue };
                        drop(view.absorb_inspection(&id, seen, now).cloned());
                    }
                }
            }
        }
        self.snapshot.revision += 1;
        self.snapshots.send_replace(Arc::new(self.snapshot.clone()));
    }

    /// The poll loop got no answer from this account.
    pub(super) fn blind(&mut self, account: &str) {
        let scopes: Vec<_> = self.snapshot.scopes.keys().cloned().collect();
        for scope in scopes.iter().filter(|scope| *scope.account == *account) {
            let (reason, at) = (Reason::Timeout, self.ours.now());
            self.snapshot.scope_mut(scope).listing_failed(Failure { reason, text: "no answer".into(), at });
        }
        self.snapshots.send_replace(Arc::new(self.snapshot.clone()));
    }

    /// Looks, and does a round to its end.
    pub(super) async fn turn(&mut self) {
        self.look().await;
        self.round().await;
    }

    pub(super) async fn round(&mut self) {
        self.renewals.round().await;
        self.renewals.settle().await;
    }

    /// Every Modify that the cloud saw.
    pub(super) fn sent(&self) -> usize {
        self.cloud.changes().len()
    }

    /// Lets time pass until the cloud has seen one more Modify.
    pub(super) async fn until_sent(&mut self) {
        let before = self.sent();
        for _ in 0..200 {
            self.pass(TimeDelta::minutes(10));
            for _ in 0..3 {
                self.turn().await;
                if self.sent() > before {
                    return;
                }
            }
        }
        panic!("nothing was sent: {:?}", self.renewals.board().borrow().plan.steps);
    }

    /// The one attempt that was written down last.
    pub(super) async fn attempt(&self) -> Attempt {
        let known = self.store.attempts(self.ours.now()).await.expect("readable");
        known.into_iter().next().expect("one was written down")
    }

    pub(super) async fn state(&self) -> String {
        self.attempt().await.state.as_str().to_owned()
    }

    pub(super) fn trouble(&self) -> String {
        self.renewals.board().borrow().trouble.as_deref().unwrap_or_default().to_owned()
    }

    /// How many messages say so.
    pub(super) async fn told(&self, is: fn(&RenewalNews) -> bool) -> usize {
        let rows = self.store.messages(&Delivery::ALL, 1000, None).await.expect("readable");
        let items = rows.iter().flat_map(|row| &row.message.items);
        items.filter(|item| matches!(item, Item::Renewal(item) if is(&item.news))).count()
    }
}

fn parts(
    policy: RenewalPolicy,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    store: Handle,
    clock: Clock,
) -> Parts {
    let telemetry = Arc::new(Telemetry::new());
    let poll = PollPolicy::default();
    let nobody = Poller::new(vec![], poll.clone(), Mode::Continuous, clock.clone(), Arc::clone(&telemetry));
    Parts {
        policy,
        rules: watch::Sender::new(Arc::new(rules())).subscribe(),
        page: None,
        snapshots,
        providers,
        store,
        wishes: nobody.wishes(),
        written: Arc::default(),
        metrics: Arc::new(MetricsPage::new(Arc::clone(&telemetry), poll, clock.now())),
        telemetry,
        clock,
    }
}
