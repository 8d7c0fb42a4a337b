//! Two daemons want the same renewal, or the connection breaks in the middle of it: one call at most, and what is written
//! down is whole.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use notafter::domain::alert::outbox::State as Sent;
use notafter::domain::alert::renewals::Letter;
use notafter::domain::finding::Stage;
use notafter::domain::renewal::attempt::{Attempt, State};
use notafter::store::{Committed, Store};
use sqlx::Connection;
use tokio::task::JoinSet;

use crate::alerts::message;
use crate::database::{Database, over_both};
use crate::postgres::Server;
use crate::renewals::{all, announced, becomes, begins, change, commit, ledger};
use crate::support::moment;

over_both!(
    of_many_that_begin_the_same_one_succeeds,
    of_many_that_counted_the_same_others_one_begins,
    a_commit_that_nobody_waits_for_is_whole_or_not_there
);

const ROUNDS: i64 = 30;
const DAEMONS: usize = 6;

/// Each of them as its own daemon, where several may share a database.
async fn daemons(database: &Database) -> Vec<Arc<Store>> {
    let mut stores = vec![Arc::new(database.open().await)];
    if database.name.is_some() {
        stores.push(Arc::new(database.open().await));
        stores.push(Arc::new(database.open().await));
    }
    stores
}

fn letter(id: &str) -> Letter {
    Letter { message: message(id, "ops", Stage::Warning, 0), not_before: None }
}

/// What each of them got.
async fn race(
    stores: &[Arc<Store>],
    before: Option<&Attempt>,
    attempt: &Attempt,
    round: i64,
) -> Vec<Committed> {
    let mut racers = JoinSet::new();
    for (n, store) in stores.iter().cycle().take(DAEMONS).enumerate() {
        let store = Arc::clone(store);
        let changes = [change(before, attempt)];
        let letters = [letter(&format!("evt_{}_{round}_{n}", attempt.state.as_str()))];
        racers.spawn(async move { store.commit_renewals(&changes, &letters, moment(), None).await.unwrap() });
    }
    racers.join_all().await
}

async fn of_many_that_begin_the_same_one_succeeds(database: Database) {
    let stores = daemons(&database).await;
    for round in 0..ROUNDS {
        let first = announced(&format!("r-{round}"), round);
        let begun = begins(&first, round + 1);
        for (before, attempt) in [(None, &first), (Some(&first), &begun)] {
            let outcomes = race(&stores, before, attempt, round).await;
            let done = outcomes.iter().filter(|outcome| **outcome == Committed::Done).count();
            assert_eq!(done, 1, "round {round}: {outcomes:?}");
        }
    }
    let rounds = usize::try_from(ROUNDS).unwrap();
    assert_eq!(all(&stores[0]).await.len(), rounds);
    assert_eq!(ledger(&stores[0]).await.len(), 2 * rounds);
    let letters = stores[0].messages(&Sent::ALL, usize::MAX, None).await.unwrap();
    assert_eq!(letters.len(), 2 * rounds, "who was overtaken tells nothing");
    for store in stores {
        store.close().await;
    }
}

/// Limits and groups are counted over all attempts: whoever counted before another one began begins nothing.
async fn of_many_that_counted_the_same_others_one_begins(database: Database) {
    let stores = daemons(&database).await;
    for round in 0..ROUNDS {
        let seen = stores[0].renewal_turn().await.unwrap();
        let mut racers = JoinSet::new();
        for n in 0..DAEMONS {
            let store = Arc::clone(&stores[n % stores.len()]);
            let attempt = announced(&format!("r-{round}-{n}"), round);
            let changes = [change(None, &begins(&attempt, round))];
            racers.spawn(
                async move { store.commit_renewals(&changes, &[], moment(), Some(seen)).await.unwrap() },
            );
        }
        let outcomes = racers.join_all().await;
        let done = outcomes.iter().filter(|outcome| **outcome == Committed::Done).count();
        assert_eq!(done, 1, "round {round}: {outcomes:?}");
        assert!(stores[0].renewal_turn().await.unwrap() > seen, "it grows");
    }
    assert_eq!(all(&stores[0]).await.len(), usize::try_from(ROUNDS).unwrap());
    for store in stores {
        store.close().await;
    }
}

/// Different attempts on one resource, by different daemons: one is under way at most.
#[tokio::test(flavor = "multi_thread")]
async fn of_different_ones_on_one_resource_one_begins() {
    let database = Database::postgres();
    let stores = daemons(&database).await;
    for round in 0..ROUNDS {
        let mut racers = JoinSet::new();
        for n in 0..DAEMONS {
            let store = Arc::clone(&stores[n % stores.len()]);
            let mut attempt = announced(&format!("r-{round}"), round);
            // the same end, told by another source each time
            attempt.key.not_after += chrono::TimeDelta::hours(i64::try_from(n).unwrap());
            attempt.id = format!("ren_{round}_{n}").into();
            racers.spawn(async move { commit(&store, None, &begins(&attempt, round)).await });
        }
        let outcomes = racers.join_all().await;
        let done = outcomes.iter().filter(|outcome| **outcome == Committed::Done).count();
        assert_eq!(done, 1, "round {round}: {outcomes:?}");
    }
    assert_eq!(all(&stores[0]).await.len(), usize::try_from(ROUNDS).unwrap());
    for store in stores {
        store.close().await;
    }
}

/// Attempts, entries and letters that belong together are there together.
async fn assert_whole(store: &Store) -> BTreeSet<String> {
    let attempts = all(store).await;
    let entries = ledger(store).await;
    let told = store.messages(&Sent::ALL, usize::MAX, None).await.unwrap();
    let ids = |attempt: &Attempt| attempt.key.resource.resource_id.to_string();
    let resources: BTreeSet<String> = attempts.iter().map(ids).collect();
    assert_eq!(resources.len(), attempts.len());
    let told: BTreeSet<String> =
        told.iter().map(|row| row.message.id.trim_start_matches("evt_").to_owned()).collect();
    assert_eq!(told, resources, "each is told");
    let mut entered: Vec<_> = entries.iter().map(|entry| (&entry.attempt, entry.at)).collect();
    let mut changed: Vec<_> = attempts.iter().map(|attempt| (&attempt.id, attempt.changed_at)).collect();
    entered.sort_unstable();
    changed.sort_unstable();
    assert_eq!(entered, changed, "each is in the ledger");
    resources
}

/// One begun attempt, its entry and its letter.
async fn begin(store: &Store, id: &str) -> bool {
    let changes = [change(None, &begins(&announced(id, 0), 1))];
    let done = store.commit_renewals(&changes, &[letter(&format!("evt_{id}"))], moment(), None).await;
    matches!(done, Ok(Committed::Done))
}

/// Lets `work` take so many steps and drops it: as soon as it waits for the last one, or when that has its answer. (By steps
/// and not by time, which is too coarse for a fast disk.)
async fn given_up_after<T>(steps: u64, at_once: bool, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (pin!(work), steps);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Pending if left == 0 && at_once => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

async fn a_commit_that_nobody_waits_for_is_whole_or_not_there(database: Database) {
    let store = database.open().await;
    let mut acknowledged = BTreeSet::new();
    for n in 0..150_u64 {
        let id = format!("r-{n}");
        if given_up_after(n % 30, n % 2 == 0, begin(&store, &id)).await == Some(true) {
            acknowledged.insert(id);
        }
    }
    let written = assert_whole(&store).await;
    assert!(acknowledged.is_subset(&written), "lost: {:?}", acknowledged.difference(&written));

    // The next one is not held up by any of them.
    assert!(begin(&store, "r-last").await);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_leaves_whole_ones() {
    let database = Database::postgres();
    let name = database.name.clone().unwrap();
    let store = Arc::new(database.open().await);
    let over = Arc::new(AtomicBool::new(false));
    let cutter = std::thread::spawn({
        let over = Arc::clone(&over);
        move || {
            while !over.load(Ordering::Relaxed) {
                Server::shared().administer(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                ));
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let mut acknowledged = BTreeSet::new();
    let mut failed = 0;
    for n in 0..400 {
        let id = format!("r-{n}");
        if begin(&store, &id).await {
            acknowledged.insert(id);
        } else {
            failed += 1;
        }
    }
    over.store(true, Ordering::Relaxed);
    cutter.join().unwrap();
    store.close().await;
    let store = database.open().await;
    let written = assert_whole(&store).await;
    assert!(acknowledged.is_subset(&written), "lost: {:?}", acknowledged.difference(&written));
    assert!(failed > 0 && !acknowledged.is_empty(), "{failed} failed, {} did not", acknowledged.len());
    store.close().await;
}

/// One daemon is in the middle of a commit, whatever becomes of it; the other waits for that and then knows.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_waits_for_the_first() {
    let database = Database::postgres();
    let (one, other) = (database.open().await, database.open().await);
    let first = announced("r-1", 0);
    assert_eq!(commit(&one, None, &first).await, Committed::Done);
    let mut shell = sqlx::AnyConnection::connect(&database.connect_url()).await.unwrap();
    let hold = async |shell: &mut sqlx::AnyConnection, statement: &'static str| {
        sqlx::query(statement).execute(shell).await.unwrap();
    };
    hold(&mut shell, "BEGIN").await;
    hold(&mut shell, "UPDATE renewal_turn SET turn = turn + 1").await;
    let begun = begins(&first, 1);
    let mut waits = Box::pin(commit(&other, Some(&first), &begun));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut waits).await.is_err(),
        "it is not its turn"
    );
    hold(&mut shell, "UPDATE renewal SET changed_at = changed_at + 1").await;
    hold(&mut shell, "COMMIT").await;
    assert_eq!(waits.await, Committed::Overtaken);
    hold(&mut shell, "UPDATE renewal SET changed_at = changed_at - 1").await;
    assert_eq!(commit(&other, Some(&first), &begun).await, Committed::Done);
    let over = becomes(&begun, State::Unknown, 2);
    assert_eq!(commit(&one, Some(&begun), &over).await, Committed::Done);
    for store in [one, other] {
        store.close().await;
    }
}
