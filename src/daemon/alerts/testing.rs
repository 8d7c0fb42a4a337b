//! An outbox in memory, channels that do as they are told, and both together, for tests with paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::channels::Channel;
use super::context::Words;
use super::outbox::{Answer, Away, Outbox};
use super::watch::Rules;
use super::{Delivery, Estate, Office, Parts};
use crate::call::BoxFuture;
use crate::clock::Clock;
use crate::domain::alert::delivery::PUT_OFF_AT_MOST;
use crate::domain::alert::message::{Fingerprint, Item, Kind, Message, Severity};
use crate::domain::alert::outbox::{Row, Settled, State};
use crate::domain::alert::routing::Routing;
use crate::domain::alert::standing;
use crate::domain::finding::Stage;
use crate::domain::policy::{AlertPolicy, Locale, PollPolicy};
use crate::domain::reason::Reason;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::moment;
use crate::metrics::MetricsPage;
use crate::notifier::{
    Messenger, NotifierKind, Outcome, Part, Receipt, Refusal, Replica, Sender, Setting, Stamp, Trouble,
};
use crate::shutdown::Stop;
use crate::store::{self, Counts, Waiting};
use crate::telemetry::Telemetry;

pub(super) static HOOK: NotifierKind = kind("webhook", Stage::Info);
pub(super) static CHAT: NotifierKind = kind("slack", Stage::Info);
pub(super) static PAGER: NotifierKind = kind("pagerduty", Stage::Critical);

const fn kind(name: &'static str, least: Stage) -> NotifierKind {
    NotifierKind { name, settings: |_| None, least, per_minute: 6000.0, burst: 100, build: None }
}

/// An outbox in memory that can go away.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) rows: Vec<Row>,
    pub(super) values: BTreeMap<String, Box<str>>,
    pub(super) notes: BTreeMap<String, String>,
    pub(super) believed: BTreeMap<Fingerprint, DateTime<Utc>>,
    pub(super) away: bool,
    /// Asked for, answered or not.
    pub(super) calls: usize,
}

impl Memory {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no test panics with it")
    }

    pub(super) fn set_away(&self, away: bool) {
        self.kept().away = away;
    }

    /// How many rows of a channel are in a state.
    pub(super) fn count(&self, channel: &str, state: State) -> usize {
        let kept = self.kept();
        kept.rows.iter().filter(|row| &*row.message.channel == channel && row.state == state).count()
    }

    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Kept) -> T) -> Answer<'_, T> {
        let mut kept = self.kept();
        kept.calls += 1;
        let answer = if kept.away { Err(Away) } else { Ok(work(&mut kept)) };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }
}

fn waits<'k>(kept: &'k mut Kept, channel: &str) -> impl Iterator<Item = &'k mut Row> {
    let channel = channel.to_owned();
    kept.rows.iter_mut().filter(move |row| *row.message.channel == *channel && row.state == State::Queued)
}

impl Outbox for Memory {
    fn return_sending(&self, now: DateTime<Utc>) -> Answer<'_, usize> {
        self.ask(|kept| {
            let sending = kept.rows.iter_mut().filter(|row| row.state == State::Sending);
            sending.map(|row| (row.state, row.next_at, row.unanswered) = (State::Queued, now, true)).count()
        })
    }

    fn release<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, ()> {
        self.ask(|kept| {
            let rows = kept.rows.iter_mut().filter(|row| &*row.message.channel == channel);
            for row in rows.filter(|row| row.state == State::Sending) {
                (row.state, row.next_at) = (State::Queued, now);
            }
        })
    }

    fn claim<'a>(&'a self, channel: &'a str, now: DateTime<Utc>) -> Answer<'a, Option<Row>> {
        self.ask(|kept| {
            let due =
                waits(kept, channel).filter(|row| row.next_at <= now || row.next_at > now + PUT_OFF_AT_MOST);
            let first =
                due.min_by_key(|row| (row.message.severity() < Severity::Critical, row.message.at))?;
            (first.state, first.attempts) = (State::Sending, first.attempts + 1);
            Some(first.clone())
        })
    }

    fn progress<'a>(&'a self, id: &'a str, parts_done: u32) -> Answer<'a, ()> {
        self.ask(|kept| {
            for row in kept.rows.iter_mut().filter(|row| &*row.message.id == id) {
                row.unanswered |= row.parts_done > parts_done;
                row.parts_done = parts_done;
            }
        })
    }

    fn settle<'a>(&'a self, id: &'a str, settled: &'a Settled, now: DateTime<Utc>) -> Answer<'a, ()> {
        self.ask(|kept| {
            let Some(row) = kept.rows.iter_mut().find(|row| &*row.message.id == id) else { return };
            row.settled_at = Some(now);
            match settled {
                Settled::Delivered { notes } => {
                    row.state = State::Delivered;
                    kept.notes.extend(notes.iter().cloned());
                }
                Settled::Again { next_at, error, unanswered } => {
                    (row.state, row.next_at) = (State::Queued, *next_at);
                    row.last_error = Some(error.clone());
                    row.unanswered |= unanswered;
                }
                Settled::Dead { error, unanswered } => {
                    row.state = State::Dead;
                    row.last_error = Some(error.clone());
                    row.unanswered |= unanswered;
                }
                Settled::Superseded => row.state = State::Superseded,
            }
        })
    }

    fn next_due<'a>(&'a self, channel: &'a str) -> Answer<'a, Option<DateTime<Utc>>> {
        self.ask(|kept| waits(kept, channel).map(|row| row.next_at).min())
    }

    fn queued<'a>(&'a self, channel: &'a str, _: DateTime<Utc>) -> Answer<'a, Vec<Row>> {
        self.ask(|kept| waits(kept, channel).map(|row| row.clone()).collect())
    }

    fn believed<'a>(
        &'a self,
        _: &'a BTreeSet<Fingerprint>,
    ) -> Answer<'a, BTreeMap<Fingerprint, DateTime<Utc>>> {
        self.ask(|kept| kept.believed.clone())
    }

    fn collapse<'a>(
        &'a self,
        channel: &'a str,
        into: &'a Message,
        superseded: &'a [Box<str>],
        now: DateTime<Utc>,
    ) -> Answer<'a, ()> {
        self.ask(|kept| {
            for row in waits(kept, channel).filter(|row| superseded.contains(&row.message.id)) {
                row.state = State::Superseded;
            }
            kept.rows.push(row(into.clone(), now));
        })
    }

    fn postpone<'a>(&'a self, channel: &'a str, until: DateTime<Utc>) -> Answer<'a, ()> {
        self.ask(|kept| waits(kept, channel).for_each(|row| row.next_at = until))
    }

    fn notes<'a>(&'a self, _: &'a str) -> Answer<'a, BTreeMap<String, String>> {
        self.ask(|kept| kept.notes.clone())
    }

    fn remember<'a>(&'a self, _: &'a str, notes: &'a [(String, String)], _: DateTime<Utc>) -> Answer<'a, ()> {
        self.ask(|kept| kept.notes.extend(notes.iter().cloned()))
    }

    fn commit<'a>(&'a self, messages: &'a [Message], now: DateTime<Utc>) -> Answer<'a, ()> {
        self.ask(|kept| {
            for message in messages {
                if kept.rows.iter().all(|row| row.message.id != message.id) {
                    kept.rows.push(row(message.clone(), now));
                }
            }
        })
    }

    fn give_up<'a>(
        &'a self,
        channel: &'a str,
        before: DateTime<Utc>,
        error: &'a str,
        now: DateTime<Utc>,
    ) -> Answer<'a, usize> {
        self.ask(|kept| {
            let old = waits(kept, channel).filter(|row| row.message.at < before);
            let given_up = old.map(|row| {
                (row.state, row.settled_at, row.last_error) = (State::Dead, Some(now), Some(error.into()));
            });
            given_up.count()
        })
    }

    fn keep_value<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, ()> {
        self.ask(|kept| drop(kept.values.insert(key.to_owned(), value.into())))
    }

    fn value<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Box<str>>> {
        self.ask(|kept| kept.values.get(key).cloned())
    }

    fn counts(&self) -> Answer<'_, Counts> {
        // not among the calls: it is asked for by time alone
        let kept = self.kept();
        let counted = || {
            let mut counts = Counts::new();
            for row in &kept.rows {
                let waiting = counts.entry(row.message.channel.clone()).or_default();
                match row.state {
                    State::Queued | State::Sending => waiting.queued += 1,
                    State::Dead => waiting.dead += 1,
                    State::Delivered | State::Superseded => {}
                }
            }
            counts.retain(|_, waiting| *waiting != Waiting::default());
            counts
        };
        let answer = if kept.away { Err(Away) } else { Ok(counted()) };
        Box::pin(async move { answer })
    }

    fn prune(&self, _: DateTime<Utc>) -> Answer<'_, usize> {
        self.ask(|_| 0)
    }
}

fn row(message: Message, now: DateTime<Utc>) -> Row {
    Row {
        message,
        state: State::Queued,
        attempts: 0,
        parts_done: 0,
        next_at: now,
        last_error: None,
        unanswered: false,
        settled_at: None,
    }
}

/// What a channel does with a post.
type Behaviour = Box<dyn FnMut(&Posted) -> (Duration, Outcome) + Send>;

/// A post that arrived.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Posted {
    pub(super) at: Instant,
    pub(super) id: String,
    pub(super) body: String,
}

/// A channel that does as it is told. One part for each item, and at least one.
pub(super) struct Puppet {
    posts: Mutex<Vec<Posted>>,
    behaviour: Mutex<Behaviour>,
    robot: u64,
    /// Each part stands for itself.
    apart: bool,
    /// And has a simpler form.
    simple: bool,
}

impl std::fmt::Debug for Puppet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Puppet").finish_non_exhaustive()
    }
}

impl Puppet {
    pub(super) fn new(robot: u64, answer: impl FnMut(&Posted) -> Outcome + Send + 'static) -> Arc<Self> {
        let mut answer = answer;
        Self::slow(robot, move |posted| (Duration::ZERO, answer(posted)))
    }

    pub(super) fn slow(
        robot: u64,
        behaviour: impl FnMut(&Posted) -> (Duration, Outcome) + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            posts: Mutex::default(),
            behaviour: Mutex::new(Box::new(behaviour)),
            robot,
            apart: false,
            simple: false,
        })
    }

    /// Each of its parts stands for itself.
    pub(super) fn apart(answer: impl FnMut(&Posted) -> Outcome + Send + 'static) -> Arc<Self> {
        let puppet = Arc::into_inner(Self::new(1, answer)).expect("nobody else has it");
        Arc::new(Self { apart: true, ..puppet })
    }

    /// And has a simpler form.
    pub(super) fn simple(answer: impl FnMut(&Posted) -> Outcome + Send + 'static) -> Arc<Self> {
        let puppet = Arc::into_inner(Self::apart(answer)).expect("nobody else has it");
        Arc::new(Self { simple: true, ..puppet })
    }

    pub(super) fn willing(robot: u64) -> Arc<Self> {
        Self::new(robot, |_| delivered())
    }

    pub(super) fn posts(&self) -> Vec<Posted> {
        self.posts.lock().expect("no test panics with it").clone()
    }

    /// Makes every further post a panic.
    pub(super) fn poison(&self) {
        let _held = self.posts.lock();
        panic!("on purpose");
    }

    pub(super) fn bodies(&self) -> Vec<String> {
        self.posts().into_iter().map(|posted| posted.body).collect()
    }

    fn take(&self, id: &str, body: String) -> (Duration, Outcome) {
        let posted = Posted { at: Instant::now(), id: id.to_owned(), body };
        self.posts.lock().expect("no test panics with it").push(posted.clone());
        (self.behaviour.lock().expect("no test panics with it"))(&posted)
    }
}

impl Messenger for Puppet {
    fn parts(&self, message: &Message, _: &Setting<'_>) -> Vec<Part> {
        let body = |text: String| Part { content: json!(text), name: "x".to_owned() };
        let texts: Vec<String> = message.items.iter().map(text).collect();
        if texts.is_empty() {
            vec![body("nothing".to_owned())]
        } else {
            texts.into_iter().map(body).collect()
        }
    }

    fn plain(&self, message: &Message, _: &Setting<'_>) -> Option<Part> {
        let content = json!(format!("plain {}", message.items.len()));
        (message.kind != Kind::Test).then(|| Part { content, name: "plain".to_owned() })
    }

    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = part.content.as_str().unwrap_or_default().to_owned();
            let (wait, outcome) = self.take(stamp.id, body);
            tokio::time::sleep(wait).await;
            outcome
        })
    }

    fn without(&self, part: &Part) -> Option<Vec<(String, String)>> {
        self.apart.then(|| vec![(part.content.as_str().unwrap_or_default().to_owned(), "left".to_owned())])
    }

    fn simpler(&self, part: &Part) -> Option<Part> {
        let text = format!("simply {}", part.content.as_str().unwrap_or_default());
        self.simple.then(|| Part { content: json!(text), name: part.name.clone() })
    }

    fn beforehand(&self, part: &Part) -> Vec<(String, String)> {
        let begins = part.content.as_str().is_some_and(|text| text.contains("begins"));
        if begins { vec![("begun".to_owned(), "before".to_owned())] } else { Vec::new() }
    }

    fn robot(&self) -> u64 {
        self.robot
    }

    fn place(&self) -> &'static str {
        "http://puppet"
    }
}

impl Replica for Puppet {
    fn replicate<'a>(
        &'a self,
        state: &'a standing::State,
        _: &'a Setting<'a>,
        _: Duration,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.take("", format!("{} open", state.open.len())).1 })
    }

    fn place(&self) -> &'static str {
        "http://puppet"
    }
}

fn text(item: &Item) -> String {
    match item {
        Item::Certificate(item) => format!("{} {}", item.facts.resource_id, item.facts.resource_name),
        Item::Channel(item) => format!("{} {:?}", item.channel, item.news),
        Item::Source(item) => item.account.to_string(),
        Item::Renewal(item) => format!("{} {:?}", item.attempt, item.news),
    }
}

pub(super) fn delivered() -> Outcome {
    Outcome::Delivered(Receipt::default())
}

pub(super) fn retry(after: Option<u64>) -> Outcome {
    let trouble = Trouble::new(Reason::Unreachable, "HTTP 503");
    Outcome::Retry { after: after.map(Duration::from_secs), trouble }
}

pub(super) fn refused(what: Refusal) -> Outcome {
    Outcome::Refused { what, trouble: Trouble::new(Reason::Refused, format!("refused: {}", what.as_str())) }
}

pub(super) fn channel(name: &str, kind: &'static NotifierKind, puppet: &Arc<Puppet>) -> Channel {
    let puppet: Arc<dyn Messenger> = Arc::clone(puppet) as _;
    of(name, kind, Sender::Messages(puppet))
}

pub(super) fn replica(name: &str, puppet: &Arc<Puppet>) -> Channel {
    let puppet: Arc<dyn Replica> = Arc::clone(puppet) as _;
    of(name, &HOOK, Sender::State(puppet))
}

fn of(name: &str, kind: &'static NotifierKind, sender: Sender) -> Channel {
    let (per_minute, burst) = (kind.per_minute, kind.burst);
    Channel { name: name.into(), kind, sender, locale: Locale::En, template: None, per_minute, burst }
}

/// A message of a minute, about these items.
pub(super) fn message(channel: &str, minute: i64, items: Vec<Item>) -> Message {
    let at = moment() + TimeDelta::minutes(minute);
    let id = format!("evt_{channel}_{minute}").into();
    Message { id, channel: channel.into(), at, ..crate::domain::alert::delivery::testing::message(items) }
}

/// A daemon's delivery on top of an outbox that outlives it.
pub(super) struct Rig {
    pub(super) outbox: Arc<Memory>,
    pub(super) channels: Vec<Channel>,
    pub(super) words: Words,
    pub(super) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(super) telemetry: Arc<Telemetry>,
    /// Minutes by which the wall clock is wrong.
    pub(super) skew: Arc<AtomicI64>,
    clock: Clock,
}

/// A delivery that runs.
pub(super) struct Running {
    pub(super) office: Office,
    pub(super) states: watch::Sender<Arc<super::watch::States>>,
    pub(super) stop: Stop,
    pub(super) task: JoinHandle<()>,
    estate: Estate,
}

impl Rig {
    pub(super) fn new(channels: impl IntoIterator<Item = Channel>) -> Self {
        let began = Instant::now();
        let skew = Arc::new(AtomicI64::new(0));
        let wrong_by = Arc::clone(&skew);
        let wall = move || {
            let passed = TimeDelta::from_std(began.elapsed()).expect("a short test");
            moment() + passed + TimeDelta::minutes(wrong_by.load(Ordering::Relaxed))
        };
        Self {
            skew,
            outbox: Arc::default(),
            channels: channels.into_iter().collect(),
            words: Words::default(),
            snapshot: watch::Sender::default(),
            telemetry: Arc::default(),
            clock: Clock::with_wall(wall),
        }
    }

    /// Writes messages down, as the decision does.
    pub(super) fn commit(&self, messages: impl IntoIterator<Item = Message>) {
        let now = self.clock.now();
        self.outbox.kept().rows.extend(messages.into_iter().map(|message| row(message, now)));
    }

    pub(super) fn start(&self) -> Running {
        self.start_after(Estate::default())
    }

    /// The same in the place of one that ended for a reload.
    pub(super) async fn reload(&self, running: Running) -> Running {
        let estate = running.estate.clone();
        running.kill().await;
        self.start_after(estate)
    }

    fn start_after(&self, estate: Estate) -> Running {
        let now = self.clock.now();
        let parts = Parts {
            channels: self.channels.clone(),
            words: self.words.clone(),
            rules: Rules {
                accounts: BTreeMap::new(),
                alert: AlertPolicy::default(),
                poll: PollPolicy::default(),
                routing: Routing::default(),
            },
            heartbeat: None,
            snapshots: self.snapshot.subscribe(),
            store: store::handle().1,
            metrics: Arc::new(MetricsPage::new(Arc::clone(&self.telemetry), PollPolicy::default(), now)),
            telemetry: Arc::clone(&self.telemetry),
            clock: self.clock.clone(),
        };
        let delivery = Delivery::with_outbox(parts, Arc::clone(&self.outbox) as _, estate);
        let (office, states, stop) = (delivery.office(), delivery.states(), Stop::new());
        let estate = delivery.estate();
        let task = tokio::spawn(delivery.run(stop.listener()));
        Running { office, states, stop, task, estate }
    }
}

impl Running {
    /// As `kill -9`: nothing is finished.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(super) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
