//! A year of a thousand certificates in a few seconds: renewals, outages, restarts, channels that fail, silences, quiet
//! hours, clocks that jump, on the real store.
//!
//! Time is an argument everywhere, so a year is a loop. What is asserted are promises about the whole list of messages,
//! not about single ones.

mod delivery;
mod dice;
mod fleet;
mod hush;
mod ledger;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::decide::{Renewal, Seen, Waiting, World, decide};
use notafter::domain::alert::memory::Memory;
use notafter::domain::alert::message::Message;
use notafter::domain::alert::routing::{ChannelRules, Routing};
use notafter::domain::alert::silence::{Silence, SilenceRow};
use notafter::domain::alert::steady::Steady;
use notafter::domain::finding::Stage;
use notafter::domain::policy::{AlertPolicy, Digest, EVERY_DAY, PollPolicy, Route};
use notafter::store::{Committed, Store};

use dice::Dice;
use fleet::Fleet;
use hush::Hush;
use ledger::Ledger;

/// Between two rounds.
const STEP: TimeDelta = TimeDelta::hours(6);
/// A little more than news waits for company.
const COMPANY: TimeDelta = TimeDelta::seconds(61);
/// Between two evaluations.
const BLINK: TimeDelta = TimeDelta::seconds(15);
const CHANNELS: [&str; 3] = ["chat", "team", "pager"];
const ROUNDS: u32 = 365 * 4;
const CERTIFICATES: usize = 1000;

/// Clocks that jump do so by this much.
const JUMPS: [TimeDelta; 6] = [
    TimeDelta::hours(1),
    TimeDelta::hours(-1),
    TimeDelta::days(1),
    TimeDelta::days(-1),
    TimeDelta::days(365),
    TimeDelta::days(-365),
];
/// After a clock that was wrong for hours was set right, nobody asks for exact times for so long.
const SHAKEN: TimeDelta = TimeDelta::days(4);

/// The time as it is, and as the machine believes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) real: DateTime<Utc>,
    pub(crate) wall: DateTime<Utc>,
    pub(crate) monotonic: Duration,
    /// The clock did not jump just now.
    pub(crate) is_trusted: bool,
    /// It was wrong for hours, lately.
    pub(crate) is_shaken: bool,
}

struct Year {
    fleet: Fleet,
    /// Closed only while the daemon starts again.
    store: Option<Store>,
    url: String,
    alert: AlertPolicy,
    poll: PollPolicy,
    routing: Routing,
    memory: Memory,
    waiting: Waiting,
    seen: Seen,
    ledger: Ledger,
    hush: Hush,
    /// As the store gave them when one changed last.
    silences: Vec<Silence>,
    delivery: delivery::Delivery,
    dice: Dice,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
    /// The clock on the wall is wrong by this much.
    skew: TimeDelta,
    /// It has just become wrong, or right again.
    is_trusted: bool,
    shaken_until: DateTime<Utc>,
    steady: Steady,
    jumps: u32,
    believed: u32,
    ids: u64,
    restarts: u32,
}

fn channels() -> Vec<ChannelRules> {
    let chat =
        |name: &str| ChannelRules { name: name.into(), least: Stage::Info, pager: false, replica: false };
    vec![chat("chat"), chat("team"), ChannelRules { least: Stage::Critical, pager: true, ..chat("pager") }]
}

/// The pager hears everything it is for, the team one service with a daily digest, the chat the rest.
fn routing() -> Routing {
    let route = |expression: &str, channels: &[&str]| Route {
        matcher: (!expression.is_empty()).then(|| fleet::matcher(expression)),
        channels: channels.iter().map(ToString::to_string).collect(),
        group_wait: Route::GROUP_WAIT,
        digest: None,
        quiet: None,
        thresholds: None,
        send_renewed: true,
        proceed: false,
    };
    let digest = Digest { at: Digest::default_time(), days: EVERY_DAY.to_vec(), send_empty: false };
    let routes = vec![
        Route { proceed: true, ..route("", &["pager"]) },
        Route { digest: Some(digest), ..route(r#"cloud_service="rds""#, &["team"]) },
        Route { quiet: Some(hush::quiet()), ..route("", &["chat"]) },
    ];
    Routing { channels: channels(), routes }
}

impl Year {
    async fn new(directory: &std::path::Path, seed: u64) -> Self {
        let now = DateTime::parse_from_rfc3339("2026-11-22T00:00:00Z").expect("a date").to_utc();
        let url = format!("sqlite:{}", directory.join("year.db").display());
        let mut dice = Dice::new(seed);
        Self {
            fleet: Fleet::new(CERTIFICATES, &mut dice, now),
            store: Some(Store::open(&url).await.expect("a new store")),
            url,
            alert: AlertPolicy { timezone: chrono_tz::Asia::Shanghai, ..AlertPolicy::default() },
            poll: PollPolicy::default(),
            routing: routing(),
            memory: Memory::default(),
            waiting: Waiting::new(),
            seen: Seen::default(),
            ledger: Ledger::default(),
            hush: Hush::default(),
            silences: Vec::new(),
            delivery: delivery::Delivery::default(),
            dice,
            began: now,
            now,
            skew: TimeDelta::zero(),
            is_trusted: true,
            shaken_until: now,
            steady: Steady::default(),
            jumps: 0,
            believed: 0,
            ids: 0,
            restarts: 0,
        }
    }

    async fn run(&mut self) {
        for round in 0..ROUNDS {
            self.fleet.live(&mut self.dice, self.now, round);
            let wall = self.time().wall;
            let store = self.store.as_ref().expect("open");
            if self.hush.live(store, &self.memory, &mut self.dice, wall).await {
                self.silences = silences(store, wall).await;
            }
            self.hush.note(&self.fleet, &self.ledger, &CHANNELS, wall);
            self.evaluate().await;
            if self.dice.one_in(12) {
                self.jump_and_back().await;
            }
            self.now += COMPANY;
            self.evaluate().await;
            self.deliver().await;
            if round % 15 == 14 {
                self.restart().await;
            }
            self.check();
            self.now += STEP - COMPANY;
            self.set_clock(round).await;
        }
    }

    fn check(&mut self) {
        let wall = self.time().wall;
        self.hush.note(&self.fleet, &self.ledger, &CHANNELS, wall);
        self.ledger.note_unwanted(&self.fleet, &self.hush, wall);
        if self.now < self.shaken_until {
            return;
        }
        self.ledger.check_expired(&self.fleet, &self.hush, &self.routing, self.now);
        self.ledger.check_heard(&self.fleet, &self.hush, self.began, self.now);
        self.ledger.check_over(&self.fleet, self.now);
    }

    fn time(&self) -> Time {
        Time {
            real: self.now,
            wall: self.now + self.skew,
            monotonic: (self.now - self.began).to_std().expect("time passes"),
            is_trusted: self.is_trusted,
            is_shaken: self.now < self.shaken_until,
        }
    }

    async fn deliver(&mut self) {
        let (store, time) = (self.store.as_ref().expect("open"), self.time());
        self.delivery.round(store, &self.fleet, &mut self.ledger, &mut self.dice, time).await;
    }

    /// The clock on the wall is wrong for one evaluation. Nothing may come of it.
    async fn jump_and_back(&mut self) {
        let (skew, jump) = (self.skew, JUMPS[usize::try_from(self.dice.below(6)).expect("small")]);
        self.is_trusted = false;
        for skew in [skew + jump, skew] {
            self.skew = skew;
            self.now += BLINK;
            self.evaluate().await;
            self.deliver().await;
        }
        self.is_trusted = true;
        self.jumps += 1;
    }

    /// Now and then it is slow for hours, and is believed after the first look.
    async fn set_clock(&mut self, round: u32) {
        let slow = self.skew < TimeDelta::zero();
        let skew = match self.dice.below(100) {
            0 if !slow && round > 200 => [TimeDelta::hours(-1), TimeDelta::days(-1)][(round % 2) as usize],
            1..40 if slow => TimeDelta::zero(),
            _ => return,
        };
        (self.skew, self.is_trusted, self.shaken_until) = (skew, false, self.now + SHAKEN);
        self.evaluate().await;
        self.deliver().await;
        self.is_trusted = true;
        self.believed += 1;
    }

    async fn evaluate(&mut self) {
        let time = self.time();
        if self.steady.jumped(time.wall, time.monotonic).is_some() {
            self.waiting.clear();
            return;
        }
        let store = self.store.as_ref().expect("open");
        let unsent = store.undelivered().await.expect("the store answers");
        let undelivered = unsent.keys().cloned().collect();
        let accounts = BTreeMap::new();
        let world = World {
            snapshot: &self.fleet.snapshot,
            accounts: &accounts,
            alert: &self.alert,
            poll: &self.poll,
            routing: &self.routing,
            silences: &self.silences,
            undelivered: &undelivered,
            renewal: &|_, _| Renewal::default(),
            console: &|_, _| None,
            now: time.wall,
        };
        let mut new_id = || {
            self.ids += 1;
            format!("evt_{:08}", self.ids).into()
        };
        let decision = decide(&world, &self.memory, &self.waiting, &mut self.seen, &mut new_id);
        let rows = decision.memory.rows_since(&self.memory);
        // a commit whose answer is lost is repeated by the next evaluation; one that failed is decided anew
        if self.dice.one_in(50) {
            return;
        }
        let unsent = decision.unheard.iter().filter_map(|end| unsent.get(end)).flatten().cloned().collect();
        let committed = store.commit_decision(&rows, &decision.messages, &unsent, time.wall).await;
        assert_eq!(committed.expect("the store takes it"), Committed::Done, "nobody sends meanwhile");
        for message in &decision.messages {
            self.ledger.decided(message, &self.fleet, &self.hush, time);
        }
        (self.memory, self.waiting) = (decision.memory, decision.waiting);
    }

    /// Only what is in the store goes on.
    async fn restart(&mut self) {
        self.store.take().expect("open").close().await;
        let store = Store::open(&self.url).await.expect("it was closed");
        let alerts = store.load_alerts().await.expect("its own rows");
        assert_eq!(alerts.odd, None);
        assert_eq!(alerts.memory, self.memory, "what was told outlives a restart");
        (self.memory, self.waiting, self.seen) = (alerts.memory, Waiting::new(), Seen::default());
        self.silences = silences(&store, self.now + self.skew).await;
        store.return_sending(self.now + self.skew).await.expect("the store answers");
        self.store = Some(store);
        self.restarts += 1;
    }
}

/// What is over by then needs not be asked of expressions any more.
async fn silences(store: &Store, now: DateTime<Utc>) -> Vec<Silence> {
    let rows = store.silences().await.expect("the store answers");
    let lately = now - TimeDelta::days(2);
    rows.iter().filter(|row| row.ends_at > lately).filter_map(SilenceRow::read).collect()
}

fn count(messages: &[Message], kind: &str) -> usize {
    messages.iter().flat_map(|message| &message.items).filter(|item| item.type_name() == kind).count()
}

#[tokio::test]
async fn a_year_keeps_every_promise() {
    let (directory, began) = (tempfile::tempdir().expect("a directory"), Instant::now());
    let mut year = Year::new(directory.path(), 20_261_122).await;
    year.run().await;
    let store = year.store.as_ref().expect("open");
    year.delivery.finish(store, &mut year.ledger, year.now).await;
    year.ledger.check_all(&year.fleet);
    let messages: Vec<Message> = year.ledger.messages().cloned().collect();
    let kinds =
        ["certificate.expiring", "certificate.expired", "certificate.reminder", "certificate.renewed"];
    let kinds = kinds.into_iter().chain(["certificate.gone", "source.blind", "source.recovered"]);
    for kind in kinds {
        let count = count(&messages, kind);
        println!("{kind}: {count}");
        assert!(count > 0, "a year without {kind} proves nothing");
    }
    println!(
        "{} messages, {} attempts, {} restarts, {:.1?}",
        messages.len(),
        year.delivery.attempts,
        year.restarts,
        began.elapsed()
    );
    let Year { hush, ledger, jumps, believed, .. } = &year;
    println!(
        "{} silences, {} acknowledged, {} ended by hand, {} held, {} caught up, {} urgent in quiet hours, {jumps} jumps, {believed} believed",
        hush.silences,
        hush.acknowledged,
        hush.ended_by_hand,
        hush.held.len(),
        ledger.caught_up,
        ledger.urgent,
    );
    for (what, count) in [
        ("silences", hush.silences),
        ("acknowledged", hush.acknowledged),
        ("ended by hand", hush.ended_by_hand),
        ("held", hush.held.len()),
        ("caught up", ledger.caught_up),
        ("urgent", ledger.urgent),
        ("jumps", *jumps as usize),
        ("believed", *believed as usize),
    ] {
        assert!(count > 5, "a year with {count} {what} proves little");
    }
    assert!(year.restarts > 90);
}
