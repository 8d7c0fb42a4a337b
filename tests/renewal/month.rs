//! One month: time passes, the loop does its rounds, people and faults interfere, and sometimes the daemon dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use notafter::daemon::poll::{Mode, Poller};
use notafter::daemon::renewal::{Parts, Renewals};
use notafter::domain::alert::board::Rules;
use notafter::domain::alert::routing::{ChannelRules, Routing};
use notafter::domain::finding::Stage;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::policy::{
    AlertPolicy, EVERY_DAY, Hours, PollPolicy, RenewalMode, RenewalPolicy, RenewalRule, Route, Window,
};
use notafter::metrics::MetricsPage;
use notafter::sim::alibaba::{Fault, Reset, Where};
use notafter::store::{self, Handle, Holder, Store};
use notafter::telemetry::Telemetry;
use notafter::web::inside::RenewalDesk as _;
use tokio::sync::watch;

use crate::dice::Dice;
use crate::estate::{Estate, Time};
use crate::verdict::{Allowed, Figures, Verdict};

const LENGTH: TimeDelta = TimeDelta::days(26);

pub(crate) struct Month {
    dice: Dice,
    time: Time,
    estate: Estate,
    policy: RenewalPolicy,
    rules: Arc<Rules>,
    snapshots: watch::Sender<Arc<notafter::domain::snapshot::Snapshot>>,
    store: Arc<Store>,
    /// Shows the store.
    _holder: Holder,
    handle: Handle,
    _folder: tempfile::TempDir,
    renewals: Renewals,
    verdict: Verdict,
    crashes: usize,
}

fn matcher(text: &str) -> Matcher {
    Matcher::parse(text, LabelSet::CERTIFICATE).expect("valid")
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

fn policy(dice: &mut Dice, zone: Tz, from: u32, hours: u32, cloud: bool) -> RenewalPolicy {
    let time = |hour: u32| chrono::NaiveTime::from_hms_opt(hour % 24, 0, 0).unwrap();
    let window = if cloud {
        Window::Cloud
    } else {
        let hours = Hours { from: time(from), to: time(from + hours), days: EVERY_DAY.to_vec() };
        Window::Local { timezone: zone, hours }
    };
    let mode = [RenewalMode::Auto, RenewalMode::Auto, RenewalMode::Approve];
    let small = |dice: &mut Dice, end| u32::try_from(1 + dice.below(end)).unwrap();
    RenewalPolicy {
        mode: mode[usize::try_from(dice.below(3)).unwrap()],
        announce: Duration::from_hours(1 + dice.below(30)),
        max_in_progress: small(dice, 2),
        max_per_day: small(dice, 4),
        stop_after_failures: 2 + small(dice, 4),
        allow: vec![RenewalRule {
            matcher: matcher(r#"tag:renew="yes""#),
            window,
            certificate: None,
            hook: None,
        }],
        ..RenewalPolicy::default()
    }
}

impl Month {
    pub(crate) async fn new(mut dice: Dice) -> Self {
        crate::common::crypto();
        // over the end of summer time in Europe
        let time = Time::new(Utc.with_ymd_and_hms(2026, 10, 5, 7, 13, 0).unwrap());
        let zones = [Tz::UTC, Tz::Asia__Shanghai, Tz::Europe__Berlin, Tz::America__New_York];
        let zone = zones[usize::try_from(dice.below(4)).unwrap()];
        let (from, hours) =
            (u32::try_from(dice.below(24)).unwrap(), u32::try_from(2 + dice.below(6)).unwrap());
        let cloud = dice.one_in(4);
        let estate = Estate::new(&mut dice, &time, (from, hours)).await;
        let policy = policy(&mut dice, zone, from, hours, cloud);
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("month.db").display());
        let store = Arc::new(Store::open(&url).await.unwrap());
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let snapshots = watch::Sender::new(Arc::default());
        let rules = Arc::new(rules());
        let allowed = Allowed {
            ids: estate.allowed.clone(),
            zone: if cloud { Tz::UTC } else { zone },
            from,
            hours,
            policy: policy.clone(),
        };
        let renewals = begin(&policy, &rules, &snapshots, &estate, &handle, &time);
        let verdict = Verdict::new(allowed);
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
            crashes: 0,
        }
    }

    /// Plays it to its end, and judges.
    pub(crate) async fn play(mut self, seed: u64) -> Figures {
        let end = self.time.now() + LENGTH;
        while self.time.now() < end {
            let busy = self.renewals.is_busy();
            let minutes = if busy { 3 + self.dice.below(8) } else { 15 + self.dice.below(35) };
            self.time.pass(TimeDelta::minutes(i64::try_from(minutes).unwrap()));
            self.interfere();
            self.estate.look(busy).await;
            self.snapshots.send_replace(Arc::new(self.estate.snapshot.clone()));
            self.rounds().await;
            self.people().await;
        }
        // what is under way comes to its end, undisturbed
        self.estate.cloud.clear_faults();
        for _ in 0..60 {
            self.time.pass(TimeDelta::minutes(3));
            self.estate.look(true).await;
            self.snapshots.send_replace(Arc::new(self.estate.snapshot.clone()));
            self.round().await;
            self.round().await;
            if !self.renewals.is_busy() {
                break;
            }
        }
        let figures = self.verdict.judge(&self.store, self.time.now(), seed).await;
        Figures { crashes: self.crashes, ..figures }
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
        self.renewals =
            begin(&self.policy, &self.rules, &self.snapshots, &self.estate, &self.handle, &self.time);
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
        for call in calls.iter().filter(|call| call.action.starts_with("Modify")) {
            self.verdict.called(call, &ends, &attempts);
        }
    }

    fn interfere(&mut self) {
        // what met no call by now would meet the next one for sure
        self.estate.cloud.clear_faults();
        if self.dice.one_in(6) {
            let actions = ["ModifyInstanceSSL", "ModifyDBInstanceSSL"];
            let action = actions[usize::try_from(self.dice.below(2)).unwrap()];
            let fault = match self.dice.below(6) {
                0 => Fault::Reset(Reset::BeforeAnswer),
                1 => Fault::Reset(Reset::KeptConnection),
                2 => Fault::Status { status: 500, json: false },
                3 => Fault::EmptyBody,
                4 => Fault::Garbage,
                _ => Fault::Throttle { retry_after_ms: None },
            };
            self.estate.cloud.inject(fault, Where::action(action), Some(1));
        }
        if self.dice.one_in(12) {
            let fault = Fault::Status { status: 503, json: false };
            self.estate.cloud.inject(fault, Where::default(), Some(2));
        }
    }

    async fn people(&mut self) {
        if !self.dice.one_in(30) {
            return;
        }
        let board = Arc::clone(&self.renewals.board().borrow());
        let desk = self.renewals.desk();
        let pick = |dice: &mut Dice, many: usize| {
            (many > 0).then(|| usize::try_from(dice.below(u64::try_from(many).unwrap())).unwrap())
        };
        let at_once = self.dice.one_in(4);
        match self.dice.below(6) {
            0..=2 => {
                let Some(at) = pick(&mut self.dice, board.attempts.len()) else { return };
                let attempt = &board.attempts[at];
                if desk.approve(&attempt.id, "li.wei", at_once).await.is_ok() {
                    self.verdict.wanted(&attempt.key.resource.resource_id, at_once, self.time.now());
                }
            }
            3 if self.dice.one_in(3) => {
                let Some(at) = pick(&mut self.dice, board.attempts.len()) else { return };
                drop(desk.reject(&board.attempts[at].id, "li.wei").await);
            }
            _ => {
                let Some(at) = pick(&mut self.dice, board.plan.steps.len()) else { return };
                let resource = &board.plan.steps[at].resource;
                if desk.order(resource, "li.wei", at_once).await.is_ok() {
                    self.verdict.wanted(&resource.resource_id, at_once, self.time.now());
                }
            }
        }
    }
}

fn begin(
    policy: &RenewalPolicy,
    rules: &Arc<Rules>,
    snapshots: &watch::Sender<Arc<notafter::domain::snapshot::Snapshot>>,
    estate: &Estate,
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
        providers: [(Arc::clone(&estate.account.name), Arc::clone(&estate.account.provider))].into(),
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
