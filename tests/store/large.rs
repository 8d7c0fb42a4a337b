//! A hundred thousand certificates and a long history of messages: how long it takes is printed, not judged; a test run
//! shares its machine.
//!
//! `NOTAFTER_HISTORY=1000000 cargo test --test store large -- --nocapture --test-threads 1` measures with a million
//! delivered messages (a gigabyte for each database).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::domain::alert::memory::{Memory, Past, Told};
use notafter::domain::alert::message::{CertificateFacts, CertificateItem, Fingerprint, Item};
use notafter::domain::alert::outbox::{Settled, State};
use notafter::domain::difference::Difference;
use notafter::domain::finding::Stage;
use notafter::domain::identity::{CertRole, Scope};
use notafter::domain::listing::{Inspection, Listed, Listing};
use notafter::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Reading, Subject, TlsState};
use notafter::domain::snapshot::Snapshot;
use notafter::store::Store;
use sqlx::{AnyConnection, Connection};

use crate::alerts::{after, message, take};
use crate::database::{Database, over_both};
use crate::support::moment;

over_both!(
    a_hundred_thousand_are_kept_and_one_change_is_one_row,
    a_long_history_holds_nothing_up,
    an_alert_does_not_wait_for_a_large_save,
);

const SCOPES: usize = 20;
const EACH: usize = 5000;
/// Messages that were delivered, unless the environment says otherwise.
const HISTORY: i64 = 20_000;

fn fleet() -> Snapshot {
    (0..SCOPES).fold(Snapshot::default(), |mut snapshot, n| {
        add_scope(&mut snapshot, n);
        snapshot
    })
}

fn kind(database: &Database) -> &'static str {
    if database.name.is_some() { "PostgreSQL" } else { "SQLite" }
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let done = work.await;
    (done, began.elapsed())
}

async fn a_hundred_thousand_are_kept_and_one_change_is_one_row(database: Database) {
    let mut snapshot = fleet();
    let store = database.open().await;
    let saved = snapshot.clone();
    let empty = Snapshot::default();
    let ((), first_save) =
        timed(async { store.save(&Difference::between(&empty, &saved), moment()).await.unwrap() }).await;
    let scope = Arc::clone(snapshot.scopes.keys().next().unwrap());
    snapshot.scope_mut(&scope).absorb_inspection("r-00-02500", Inspection::Read(reading(400)), moment());
    let began = Instant::now();
    let change = Difference::between(&saved, &snapshot);
    assert_eq!((change.chunks.len(), change.scopes.len()), (1, 0));
    store.save(&change, moment()).await.unwrap();
    let small_save = began.elapsed();
    store.close().await;

    let began = Instant::now();
    let store = database.open().await;
    let opened = began.elapsed();
    let loaded = store.load(moment()).await.unwrap().snapshot;
    println!(
        "{}: first save {first_save:?}, one change {small_save:?}, open {opened:?}, open and read {:?}",
        kind(&database),
        began.elapsed()
    );
    assert_eq!(loaded.resources().count(), SCOPES * EACH);
    assert!(loaded.resources().eq(snapshot.resources()), "each as it was");
    store.close().await;
}

/// Makes delivered messages, one every second until the moment.
pub(crate) async fn add_history(database: &Database, count: i64) {
    let store = database.open().await;
    let template = message("evt_template", "ops", Stage::Warning, 0);
    store.commit_alerts(&[], &[template], moment()).await.unwrap();
    store.settle("evt_template", &Settled::Delivered { notes: Vec::new() }, moment()).await.unwrap();
    store.close().await;
    let mut connection = AnyConnection::connect(&database.connect_url()).await.unwrap();
    let statement = "INSERT INTO outbox (id, channel, state, urgency, attempts, parts_done, created_at, next_at, settled_at, message) \
         WITH RECURSIVE number (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM number WHERE n < $1) \
         SELECT 'evt_' || n, channel, state, urgency, 1, 0, created_at - 1000 * n, next_at - 1000 * n, \
         settled_at - 1000 * n, REPLACE(message, 'evt_template', 'evt_' || n) FROM outbox CROSS JOIN number WHERE id = 'evt_template'";
    sqlx::query(statement).bind(count).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Somebody was told of every certificate of the fleet: as bad as it gets.
fn remembered() -> Memory {
    let template = message("evt_template", "ops", Stage::Warning, 0);
    let Some(Item::Certificate(CertificateItem { facts, .. })) = template.items.first() else {
        panic!("a certificate");
    };
    let mut memory = Memory::default();
    for n in 0..SCOPES * EACH {
        let fingerprint = Fingerprint(n as u64);
        let told = Told { not_after: facts.not_after, stage: Stage::Warning, at: moment() };
        let past = Past {
            facts: CertificateFacts { fingerprint, resource_id: format!("r-{n}").into(), ..facts.clone() },
            epoch: facts.not_after,
            doubt: None,
            missing: None,
            told: BTreeMap::from([("ops".into(), vec![told])]),
        };
        memory.certificates.insert(fingerprint, Arc::new(past));
    }
    memory
}

async fn store_memory(database: &Database, memory: &Memory) {
    let store = database.open().await;
    let rows = memory.rows_since(&Memory::default());
    let (done, took) = timed(store.commit_alerts(&rows, &[], moment())).await;
    done.unwrap();
    println!("{}: {} rows of memory written in {took:?}", kind(database), rows.len());
    store.close().await;
}

async fn a_long_history_holds_nothing_up(database: Database) {
    let count = std::env::var("NOTAFTER_HISTORY").map_or(HISTORY, |text| text.parse().expect("a number"));
    let store = database.open().await;
    let snapshot = fleet();
    store.save(&Difference::between(&Snapshot::default(), &snapshot), moment()).await.unwrap();
    store.close().await;
    let remembered = remembered();
    store_memory(&database, &remembered).await;
    add_history(&database, count).await;

    let (store, opened) = timed(database.open()).await;
    let (loaded, read) = timed(store.load(moment())).await;
    assert_eq!(loaded.unwrap().snapshot.resources().count(), SCOPES * EACH);
    let (alerts, told) = timed(store.load_alerts()).await;
    assert_eq!(alerts.unwrap().memory, remembered);
    let messages: Vec<_> =
        (0..20).map(|n| message(&format!("evt_new_{n:02}"), "ops", Stage::Warning, n)).collect();
    let (done, committed) = timed(store.commit_alerts(&[], &messages, moment())).await;
    done.unwrap();
    let (row, claimed) = timed(take(&store, "ops")).await;
    let id = row.unwrap().message.id;
    let (done, settled) = timed(store.settle(&id, &Settled::Delivered { notes: Vec::new() }, after(1))).await;
    done.unwrap();
    let (due, next) = timed(store.next_due("ops")).await;
    assert_eq!(due.unwrap(), Some(moment()));
    let (counts, counted) = timed(store.counts()).await;
    assert_eq!(counts.unwrap()["ops"].queued, 19);
    let (list, listed) = timed(store.messages(&State::ALL, 100, None)).await;
    assert_eq!(list.unwrap().len(), 100);
    let (undelivered, looked) = timed(store.undelivered()).await;
    assert_eq!(undelivered.unwrap().len(), 1);
    println!(
        "{}, {count} delivered: open {opened:?}, read {read:?}, what was told {told:?}, commit 20 {committed:?}, claim \
         {claimed:?}, settle {settled:?}, next due {next:?}, counts {counted:?}, 100 of the list {listed:?}, undelivered {looked:?}",
        kind(&database),
    );
    let (gone, pruned) =
        timed(store.prune(moment() + TimeDelta::days(30) - TimeDelta::seconds(count / 2))).await;
    println!("{}: thrown away {} in {pruned:?}", kind(&database), gone.unwrap());
    store.close().await;
}

/// Commits and claims again and again until `other` is done; the longest and the middle wait.
async fn commit_meanwhile(store: &Store, other: impl Future<Output = ()>) -> (usize, Duration, Duration) {
    let mut waits = Vec::new();
    let commits = async {
        loop {
            let id = format!("evt_{:05}", waits.len());
            let messages = [message(&id, "ops", Stage::Critical, 0)];
            let rows = crate::alerts::memory(&[&id]).rows_since(&Memory::default());
            let (done, wait) = timed(store.commit_alerts(&rows, &messages, moment())).await;
            done.unwrap();
            assert!(take(store, "ops").await.is_some());
            waits.push(wait);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = other => {}
        () = commits => {}
    }
    waits.sort();
    (waits.len(), waits[waits.len() / 2], *waits.last().unwrap())
}

/// So many large saves follow each other at once.
const ROUNDS: usize = 10;

async fn an_alert_does_not_wait_for_a_large_save(database: Database) {
    let store = database.open().await;
    let snapshot = fleet();
    let empty = Snapshot::default();
    let began = Instant::now();
    let save = async {
        for _ in 0..ROUNDS {
            store.save(&Difference::between(&empty, &snapshot), moment()).await.unwrap();
        }
    };
    let (commits, middle, longest) = commit_meanwhile(&store, save).await;
    println!(
        "{}: while 100,000 were saved {ROUNDS} times in {:?}, {commits} commits waited {middle:?} in the middle, {longest:?} at most",
        kind(&database),
        began.elapsed(),
    );
    assert!(commits > 20, "they get their turns: {commits}");
    let loaded = store.load(moment()).await.unwrap().snapshot;
    assert_eq!(loaded.resources().count(), SCOPES * EACH);
    store.close().await;
}

fn add_scope(snapshot: &mut Snapshot, number: usize) {
    let scope = Arc::new(Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: format!("cn-region-{number:02}").into(),
        service: "redis".into(),
    });
    let ids: Vec<String> = (0..EACH).map(|n| format!("r-{number:02}-{n:05}")).collect();
    let resources = ids.iter().map(|id| listed(id)).collect();
    let view = snapshot.scope_mut(&scope);
    view.absorb_listing(Listing { resources, ..Listing::default() }, Duration::from_secs(1), moment());
    for (n, id) in ids.iter().enumerate() {
        view.absorb_inspection(id, Inspection::Read(reading(i64::try_from(n).unwrap() % 365)), moment());
        view.plan(id, Duration::from_secs(n as u64));
    }
}

fn listed(id: &str) -> Listed {
    let facts = Facts {
        name: format!("orders {id}").into(),
        status: "Normal".into(),
        engine: "Redis 7.0 redis.master.small.default".into(),
        tags: [("env".into(), "prod".into()), ("owner".into(), "payments".into())].into(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    };
    Listed { id: id.into(), facts, tags_known: true, reading: None, inspectable: true }
}

fn reading(days: i64) -> Reading {
    let subject = Subject { common_name: "*.redis.rds.aliyuncs.com".into(), ..Subject::default() };
    let certificate = Certificate {
        role: CertRole::Server,
        not_after: moment() + TimeDelta::days(days),
        not_before: None,
        source: DateSource::Api,
        other_not_after: None,
        subject,
    };
    Reading {
        state: TlsState::Enabled,
        certificates: vec![certificate],
        managed_by: Some(ManagedBy::Cloud),
        renewal_required: None,
        at: moment(),
    }
}
