//! A year of a thousand certificates in a few seconds: renewals, outages, restarts, channels that fail, on the real store.
//!
//! Time is an argument everywhere, so a year is a loop. What is asserted are promises about the whole list of messages,
//! not about single ones.

mod delivery;
mod dice;
mod fleet;
mod ledger;

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::decide::{Renewal, Seen, Waiting, World, decide};
use notafter::domain::alert::memory::Memory;
use notafter::domain::alert::message::Message;
use notafter::domain::alert::routing::{ChannelRules, Routing};
use notafter::domain::finding::Stage;
use notafter::domain::policy::{AlertPolicy, Digest, EVERY_DAY, PollPolicy, Route};
use notafter::store::Store;

use dice::Dice;
use fleet::Fleet;
use ledger::Ledger;

/// Between two rounds.
const STEP: TimeDelta = TimeDelta::hours(6);
/// A little more than news waits for company.
const COMPANY: TimeDelta = TimeDelta::seconds(61);
const ROUNDS: u32 = 365 * 4;
const CERTIFICATES: usize = 1000;

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
    delivery: delivery::Delivery,
    dice: Dice,
    now: DateTime<Utc>,
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
        route("", &["chat"]),
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
            alert: AlertPolicy::default(),
            poll: PollPolicy::default(),
            routing: routing(),
            memory: Memory::default(),
            waiting: Waiting::new(),
            seen: Seen::default(),
            ledger: Ledger::default(),
            delivery: delivery::Delivery::default(),
            dice,
            now,
            ids: 0,
            restarts: 0,
        }
    }

    async fn run(&mut self) {
        for round in 0..ROUNDS {
            self.fleet.live(&mut self.dice, self.now, round);
            self.evaluate().await;
            self.now += COMPANY;
            self.evaluate().await;
            let store = self.store.as_ref().expect("open");
            self.delivery.round(store, &self.fleet, &mut self.ledger, &mut self.dice, self.now).await;
            if round % 15 == 14 {
                self.restart().await;
            }
            self.ledger.check_expired(&self.fleet, &self.routing, self.now);
            self.now += STEP - COMPANY;
        }
    }

    async fn evaluate(&mut self) {
        let store = self.store.as_ref().expect("open");
        let undelivered = store.undelivered().await.expect("the store answers");
        let accounts = BTreeMap::new();
        let world = World {
            snapshot: &self.fleet.snapshot,
            accounts: &accounts,
            alert: &self.alert,
            poll: &self.poll,
            routing: &self.routing,
            silences: &[],
            undelivered: &undelivered,
            renewal: &|_, _| Renewal::default(),
            console: &|_, _| None,
            now: self.now,
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
        store.commit_alerts(&rows, &decision.messages, self.now).await.expect("the store takes it");
        for message in &decision.messages {
            self.ledger.decided(message, &self.fleet, self.now);
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
        store.return_sending(self.now).await.expect("the store answers");
        self.store = Some(store);
        self.restarts += 1;
    }
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
    assert!(year.restarts > 90);
}
