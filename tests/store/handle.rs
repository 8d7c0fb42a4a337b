//! The store as others see it who use it beside the loop that keeps it open.

use std::sync::Arc;
use std::time::Duration;

use notafter::domain::alert::outbox::{Settled, State};
use notafter::domain::finding::Stage;
use notafter::sim::alibaba::AlibabaCloud;
use notafter::store::{Handle, Store, StoreError, Trouble, handle};

use crate::alerts::{message, queue, silence, take};
use crate::database::{Database, over_both};
use crate::support::{PATIENT, Running, cloud, config_text, moment};

over_both!(
    whoever_gets_an_error_has_it_opened_anew,
    one_that_opens_and_never_works_is_not_told_as_good,
    one_that_could_not_be_opened_appears_later,
    those_who_send_may_settle_after_the_stop,
);

const SOON: Duration = Duration::from_secs(10);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

fn refused(store: &Store) -> StoreError {
    StoreError { place: store.place().into(), trouble: Trouble::Refused("said no".to_owned()) }
}

/// A daemon over a store, and its handle.
async fn daemon_over(database: &Database) -> (AlibabaCloud, Running, Handle) {
    let cloud = cloud().await;
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, "")).await;
    daemon.until_read(30).await;
    let handle = daemon.store.clone();
    (cloud, daemon, handle)
}

async fn whoever_gets_an_error_has_it_opened_anew(database: Database) {
    let (_cloud, daemon, mut handle) = daemon_over(&database).await;
    let first = handle.store().expect("it can be used");
    daemon.until_store_is(1).await;
    queue(&first, &[message("evt_1", "ops", Stage::Info, 0)]).await;
    handle.report(&first, refused(&first));
    assert!(within("the store goes", handle.replaced(&first)).await);
    let second = within("a new one comes", handle.usable()).await.expect("the daemon runs");
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(first.counts().await.unwrap_err().trouble.reason(), "unreachable", "it is closed");
    assert_eq!(second.counts().await.unwrap().len(), 1, "and the other knows what it knew");
    handle.report(&first, refused(&first));
    daemon.until_store_is(1).await;
    assert!(Arc::ptr_eq(&handle.store().unwrap(), &second), "what is said too late changes nothing");
    daemon.stop().await;
    assert!(handle.store().is_none() && handle.usable().await.is_none(), "it has ended");
}

async fn one_that_opens_and_never_works_is_not_told_as_good(database: Database) {
    let (_cloud, daemon, mut handle) = daemon_over(&database).await;
    daemon.until_store_is(1).await;
    for _ in 0..3 {
        let store = within("one comes", handle.usable()).await.unwrap();
        handle.report(&store, refused(&store));
        assert!(within("it goes", handle.replaced(&store)).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(daemon.get("/metrics").await.1.contains("\nnotafter_store_up 0\n"));
    }
    daemon.stop().await;
}

async fn one_that_could_not_be_opened_appears_later(database: Database) {
    database.meddle("CREATE TABLE scope (mine BIGINT)").await;
    let (_cloud, daemon, mut handle) = daemon_over(&database).await;
    assert!(handle.store().is_none());
    daemon.until_store_is(0).await;
    database.meddle("DROP TABLE scope").await;
    let store = within("it can be used", handle.usable()).await.unwrap();
    store.add_silence(&silence("sil_1", moment())).await.unwrap();
    drop(store);
    daemon.stop().await;
}

async fn those_who_send_may_settle_after_the_stop(database: Database) {
    let (_cloud, daemon, handle) = daemon_over(&database).await;
    queue(&handle.store().unwrap(), &[message("evt_1", "ops", Stage::Info, 0)]).await;
    let sender = async {
        let store = handle.store().unwrap();
        let row = take(&store, "ops").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let delivered = Settled::Delivered { notes: Vec::new() };
        store.settle(&row.message.id, &delivered, moment()).await.unwrap();
        drop((store, handle));
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        daemon.stop().await;
    };
    tokio::join!(sender, stop);
    let store = database.open().await;
    assert_eq!(store.messages(&[State::Delivered], 9, None).await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_store_is_replaced_by_another_one_and_not_by_being_shown_again() {
    let (database, other) = (Database::sqlite(), Database::sqlite());
    let (store, another) = (Arc::new(database.open().await), Arc::new(other.open().await));
    let (holder, seen) = handle();
    holder.show(Some(Arc::clone(&store)));
    // a clone has not looked yet
    let mut handle = seen.clone();
    let moment = Duration::from_millis(50);
    assert!(tokio::time::timeout(moment, handle.replaced(&store)).await.is_err(), "it is the one to be used");
    holder.show(Some(Arc::clone(&store)));
    assert!(tokio::time::timeout(moment, handle.replaced(&store)).await.is_err(), "it still is");
    holder.show(Some(Arc::clone(&another)));
    assert!(within("another one comes", handle.replaced(&store)).await);
    assert!(within("it came already", seen.clone().replaced(&store)).await);
    holder.show(None);
    assert!(within("it goes", handle.replaced(&another)).await);
    holder.show(Some(Arc::clone(&store)));
    drop(holder);
    assert!(!within("nobody opens stores any more", handle.replaced(&store)).await);
    store.close().await;
    another.close().await;
}

#[tokio::test]
async fn those_who_wait_learn_that_nobody_opens_stores_any_more() {
    let database = Database::sqlite();
    let store = Arc::new(database.open().await);
    let (holder, mut handle) = handle();
    assert!(handle.store().is_none());
    holder.show(Some(Arc::clone(&store)));
    for _ in 0..20 {
        handle.clone().report(&store, refused(&store));
    }
    holder.show(None);
    drop(holder);
    assert!(handle.usable().await.is_none());
    handle.report(&store, refused(&store));
    store.close().await;
}
