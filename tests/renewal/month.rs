//! One month: time passes, the loop does its rounds, people and faults interfere, and sometimes the daemon dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use notafter::daemon::poll::{Mode, Poller};
use notafter::daemon::renewal::{Parts, Renewals};
use notafter::domain::alert::board::Rules;
use notafter::domain::alert::routing::{ChannelRules, Routing};
use notafter::domain::finding::Stage;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::policy::{
    AlertPolicy, EVERY_DAY, Hours, PollPolicy, Quiet, RenewalMode, RenewalPolicy, RenewalRule, Route, Window,
};
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::provider::Provider;
use notafter::store::{self, Handle, Holder, Store};
use notafter::telemetry::Telemetry;
use tokio::sync::watch;

use crate::dice::Dice;
use crate::estate::{Begin, Estate, Time};
use crate::verdict::{Allowed, Figures, Verdict};

const LENGTH: TimeDelta = TimeDelta::days(26);

pub(crate) struct Month {
    pub(crate) dice: Dice,
    pub(crate) time: Time,
    pub(crate) estate: Estate,
    policy: RenewalPolicy,
    rules: Arc<Rules>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) store: Arc<Store>,
    /// Shows the store.
    _holder: Holder,
    handle: Handle,
    _folder: tempfile::TempDir,
    pub(crate) renewals: Renewals,
    pub(crate) verdict: Verdict,
    /// Instances that somebody else is changing, with the word for it, until then.
    pub(crate) changing: BTreeMap<String, (&'static str, DateTime<Utc>)>,
    /// Until then one of the accounts answers nothing.
    pub(crate) outage: Option<DateTime<Utc>>,
    /// So many silences there were.
    pub(crate) silences: u32,
    crashes: usize,
}

pub(crate) fn matcher(text: &str) -> Matcher {
    Matcher::parse(text, LabelSet::CERTIFICATE).expect("valid")
}

/// One channel that is told everything, in quiet hours later.
pub(crate) fn rules(quiet: Option<Quiet>) -> Rules {
    let chat = ChannelRules { name: "chat".into(), least: Stage::Info, pager: false, replica: false };
    let route = Route {
        matcher: None,
        channels: vec!["chat".to_owned()],
        group_wait: Route::GROUP_WAIT,
        digest: None,
        quiet,
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

fn hours(from: u32, length: u32) -> Hours {
    let time = |hour: u32| chrono::NaiveTime::from_hms_opt(hour % 24, 0, 0).unwrap();
    Hours { from: time(from), to: time(from + length), days: EVERY_DAY.to_vec() }
}

fn policy(dice: &mut Dice, zone: Tz, begin: &Begin, cloud: bool, estate: &Estate) -> RenewalPolicy {
    let (from, length) = begin.window;
    let local = || Window::Local { timezone: zone, hours: hours(from, length) };
    let window = if cloud { Window::Cloud } else { local() };
    let mode = [RenewalMode::Auto, RenewalMode::Auto, RenewalMode::Approve];
    let mode = if begin.calm { mode[0] } else { mode[usize::try_from(dice.below(3)).unwrap()] };
    let small = |dice: &mut Dice, end| u32::try_from(1 + dice.below(end)).unwrap();
    let rule = |text: &str, certificate| RenewalRule {
        matcher: matcher(text),
        window: window.clone(),
        certificate,
        hook: None,
    };
    let first = NaiveDate::from_ymd_opt(2026, 10, 5).unwrap();
    let blackout = first.iter_days().take(30).filter(|_| dice.one_in(if begin.calm { 9 } else { 5 }));
    RenewalPolicy {
        mode,
        blackout: blackout.collect(),
        announce: Duration::from_hours(1 + dice.below(30)),
        max_in_progress: small(dice, 3),
        max_per_day: small(dice, 4) + 1,
        stop_after_failures: small(dice, 3),
        allow: vec![rule(r#"tag:own="yes""#, Some(estate.own.files())), rule(r#"tag:renew="yes""#, None)],
        ..RenewalPolicy::default()
    }
}

impl Month {
    pub(crate) async fn new(mut dice: Dice, calm: bool) -> Self {
        crate::common::crypto();
        // over the end of summer time in Europe
        let time = Time::new(Utc.with_ymd_and_hms(2026, 10, 5, 7, 13, 0).unwrap());
        let zones = [Tz::UTC, Tz::Asia__Shanghai, Tz::Europe__Berlin, Tz::America__New_York];
        let zone = zones[usize::try_from(dice.below(4)).unwrap()];
        let small = |dice: &mut Dice, end| u32::try_from(dice.below(end)).unwrap();
        let begin = Begin { window: (small(&mut dice, 24), 2 + small(&mut dice, 6)), calm };
        let cloud = dice.one_in(4);
        let estate = Estate::new(&mut dice, &time, &begin).await;
        let policy = policy(&mut dice, zone, &begin, cloud, &estate);
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("month.db").display());
        let store = Arc::new(Store::open(&url).await.unwrap());
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let snapshots = watch::Sender::new(Arc::default());
        let quiet = dice.one_in(2).then(|| {
            let hours = hours(small(&mut dice, 24), 2 + small(&mut dice, 12));
            Quiet { hours: Some(hours), dates: Vec::new() }
        });
        let rules = Arc::new(rules(quiet));
        let zone = if cloud { Tz::UTC } else { zone };
        let (from, hours) = begin.window;
        let verdict =
            Verdict::new(Allowed { ids: estate.allowed.clone(), zone, from, hours, policy: policy.clone() });
        let renewals = begin_loop(&policy, &rules, &snapshots, estate.providers(), &handle, &time);
        let (changing, outage) = (BTreeMap::new(), None);
        Self {
            dice,
            time,
            estate,
            policy,
            rules,
            snapshots,
            store,
            _holder: holder,
            handle,
            _folder: folder,
            renewals,
            verdict,
            changing,
            outage,
            silences: 0,
            crashes: 0,
        }
    }

    /// Plays it to its end, and judges.
    pub(crate) async fn play(mut self, seed: u64) -> Figures {
        let end = self.time.now() + LENGTH;
        while self.time.now() < end {
            let busy = self.renewals.is_busy();
            self.pass(busy);
            self.interfere();
            self.estate.look(busy).await;
            self.show();
            self.rounds().await;
            self.people().await;
        }
        // what is under way comes to its end, undisturbed
        self.estate.cloud.clear_faults();
        for _ in 0..140 {
            self.time.pass(TimeDelta::minutes(3));
            self.estate.look(true).await;
            self.show();
            self.round().await;
            self.round().await;
            if !self.renewals.is_busy() {
                break;
            }
        }
        let figures = self.verdict.judge(&self.store, &self.estate, self.time.now(), seed).await;
        Figures { crashes: self.crashes, silences: self.silences, ..figures }
    }

    /// The same while nothing goes wrong: everything that a rule allows is renewed before it ends.
    pub(crate) async fn play_calmly(mut self, seed: u64) -> Figures {
        let (first, end) = (self.estate.ends(), self.time.now() + LENGTH);
        while self.time.now() < end {
            self.pass(self.renewals.is_busy());
            let now = self.time.now();
            for id in self.estate.allowed.keys() {
                let due = first[id] <= now && self.estate.ends()[id] == first[id];
                assert!(!due, "seed {seed}: {id} ended {} and was not renewed", first[id]);
            }
            self.estate.look(false).await;
            self.show();
            for _ in 0..4 {
                self.round().await;
            }
        }
        self.verdict.judge(&self.store, &self.estate, self.time.now(), seed).await
    }

    fn pass(&mut self, busy: bool) {
        let minutes = match self.verdict.is_near(self.time.now()) {
            _ if busy => 3 + self.dice.below(8),
            true => 15 + self.dice.below(35),
            // nothing is to be begun: the time goes quicker
            false => 30 + self.dice.below(100),
        };
        self.time.pass(TimeDelta::minutes(i64::try_from(minutes).unwrap()));
        self.estate.own.pass(self.time.now());
    }

    fn show(&self) {
        self.snapshots.send_replace(Arc::new(self.estate.snapshot.clone()));
    }

    /// The first round after time has passed begins nothing: for it, the clock jumped.
    async fn rounds(&mut self) {
        for _ in 0..3 {
            if self.dice.one_in(60) {
                self.crash().await;
            } else {
                self.round().await;
            }
        }
    }

    async fn round(&mut self) {
        self.renewals.round().await;
        self.renewals.settle().await;
        self.watch().await;
    }

    /// Dies in the middle of a round: at the first thing that it waits for, or somewhat later.
    async fn crash(&mut self) {
        self.crashes += 1;
        let patience = Duration::from_micros(self.dice.below(12_000));
        // dropped where it stands
        drop(tokio::time::timeout(patience, self.renewals.round()).await);
        if self.dice.one_in(2) {
            drop(tokio::time::timeout(patience, self.renewals.settle()).await);
        }
        let providers = self.estate.providers();
        self.renewals =
            begin_loop(&self.policy, &self.rules, &self.snapshots, providers, &self.handle, &self.time);
        // what was on its way arrives, or does not
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.watch().await;
    }

    /// Everything that the cloud saw since.
    async fn watch(&mut self) {
        let calls = self.estate.cloud.calls();
        self.estate.cloud.forget_calls();
        let ends = self.estate.ends();
        let attempts = self.store.attempts(self.time.now()).await.unwrap();
        let changing: BTreeSet<&str> = self.changing.keys().map(String::as_str).collect();
        for call in calls.iter().filter(|call| call.action.starts_with("Modify")) {
            self.verdict.called(call, &ends, &attempts, &self.estate, &changing);
        }
    }
}

/// A loop as after a start.
pub(crate) fn begin_loop(
    policy: &RenewalPolicy,
    rules: &Arc<Rules>,
    snapshots: &watch::Sender<Arc<Snapshot>>,
    providers: BTreeMap<Arc<str>, Arc<dyn Provider>>,
    handle: &Handle,
    time: &Time,
) -> Renewals {
    let telemetry = Arc::new(Telemetry::new());
    let nobody =
        Poller::new(vec![], PollPolicy::default(), Mode::Continuous, time.clock(), Arc::clone(&telemetry));
    Renewals::new(Parts {
        policy: policy.clone(),
        rules: watch::Sender::new(Arc::clone(rules)).subscribe(),
        page: None,
        snapshots: snapshots.subscribe(),
        providers,
        store: handle.clone(),
        wishes: nobody.wishes(),
        written: Arc::default(),
        metrics: Arc::new(MetricsPage::new(Arc::clone(&telemetry), PollPolicy::default(), time.now())),
        telemetry,
        clock: time.clock(),
    })
}

/// When something happened.
pub(crate) type At = DateTime<Utc>;
