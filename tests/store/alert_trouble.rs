//! What goes wrong while messages are kept: nothing is half written, it is told what is wrong, and it may be repeated.

use std::fs;
use std::os::unix::fs::FileExt;

use notafter::domain::alert::memory::Memory;
use notafter::domain::alert::outbox::State;
use notafter::domain::finding::Stage;
use notafter::store::{Store, StoreError};
use sqlx::{AnyConnection, Connection};

use crate::alerts::{memory, message, silence, take};
use crate::database::{Database, over_both};
use crate::large::add_history;
use crate::postgres::Server;
use crate::support::moment;

over_both!(a_commit_that_fails_leaves_nothing_behind, a_store_of_the_first_version_is_taken_over);

/// One thing to remember, and one message that tells it.
async fn commit(store: &Store) -> Result<(), StoreError> {
    let rows = memory(&["ops"]).rows_since(&Memory::default());
    store.commit_alerts(&rows, &[message("evt_new", "ops", Stage::Info, 0)], moment()).await
}

async fn a_commit_that_fails_leaves_nothing_behind(database: Database) {
    let store = database.open().await;
    database.meddle("ALTER TABLE outbox RENAME TO away").await;
    let error = commit(&store).await.expect_err("there is no outbox");
    assert!(error.to_string().contains("outbox"), "{error}");
    assert_eq!(store.load_alerts().await.unwrap().memory, Memory::default(), "not even the memory");
    database.meddle("ALTER TABLE away RENAME TO outbox").await;
    for _ in 0..2 {
        commit(&store).await.unwrap();
    }
    assert_eq!(store.load_alerts().await.unwrap().memory, memory(&["ops"]));
    assert!(take(&store, "ops").await.is_some() && take(&store, "ops").await.is_none());
    store.close().await;
}

async fn a_store_of_the_first_version_is_taken_over(database: Database) {
    database.open().await.close().await;
    for statement in [
        "DROP TABLE renewal",
        "DROP TABLE renewal_ledger",
        "DROP TABLE renewal_turn",
        "DROP TABLE alert_memory",
        "DROP TABLE outbox",
        "DROP TABLE silence",
        "DROP TABLE channel_note",
        "DROP TABLE kept",
        "DROP TABLE resource_chunk",
        "DELETE FROM _sqlx_migrations WHERE version >= 2",
        "INSERT INTO regions VALUES ('alibaba/prod///redis', 5, 6)",
    ] {
        database.meddle(statement).await;
    }
    let store = database.open().await;
    assert_eq!(store.load(moment()).await.unwrap().snapshot.regions_listed.len(), 1, "what was known stays");
    commit(&store).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_program_is_told_and_a_repeat_works() {
    let database = Database::sqlite();
    let store = database.open().await;
    let mut shell = AnyConnection::connect(&database.connect_url()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    let error = commit(&store).await.expect_err("it is locked");
    assert_eq!(error.trouble.reason(), "busy", "{error}");
    sqlx::query("ROLLBACK").execute(&mut shell).await.unwrap();
    commit(&store).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_any_more_is_told() {
    let database = Database::postgres();
    let store = database.open().await;
    commit(&store).await.unwrap();
    let name = database.name.as_deref().unwrap();
    let administer = |statement: &str| Server::shared().administer(statement);
    let leave = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    administer(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    administer(&leave);
    let error = store.claim("ops", moment()).await.expect_err("it cannot be taken");
    assert_eq!(error.trouble.reason(), "read_only", "{error}");
    assert_eq!(store.counts().await.unwrap()["ops"].queued, 1, "it can be read");
    administer(&format!("ALTER DATABASE {name} RESET default_transaction_read_only"));
    administer(&leave);
    assert!(take(&store, "ops").await.is_some(), "it heals");
    administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    administer(&leave);
    assert!(commit(&store).await.is_err());
    administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    store.close().await;
}

/// Writes over a page of the file.
fn spoil(database: &Database, page: u64) {
    let file = fs::OpenOptions::new().write(true).open(database.path()).unwrap();
    file.write_all_at(&[0xa5; 4096], (page - 1) * 4096).unwrap();
}

async fn root_page(database: &Database, table: &'static str) -> u64 {
    let mut connection = AnyConnection::connect(&database.connect_url()).await.unwrap();
    let page: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = $1")
        .bind(table)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    page.cast_unsigned()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_long_history_is_told_when_it_is_met_and_elsewhere_at_the_start() {
    let database = Database::sqlite();
    add_history(&database, 90_000).await;
    let store = database.open().await;
    store.add_silence(&silence("sil_1", moment())).await.unwrap();
    store.close().await;
    let pages = fs::metadata(database.path()).unwrap().len() / 4096;
    assert!(pages * 4096 > 64 << 20, "large enough not to be checked whole: {pages}");
    for page in pages / 2..pages / 2 + 40 {
        spoil(&database, page);
    }
    let store = database.open().await;
    commit(&store).await.unwrap();
    assert!(take(&store, "ops").await.is_some(), "what is needed works");
    let error = store.messages(&State::ALL, usize::MAX, None).await.expect_err("the list is damaged");
    assert_eq!(error.trouble.reason(), "damaged", "{error}");
    store.close().await;
    let error = Store::open_damaged(&database.url).await.expect_err("every page is looked at");
    assert_eq!(error.trouble.reason(), "damaged", "{error}");
    spoil(&database, root_page(&database, "silence").await);
    let error = Store::open(&database.url).await.expect_err("silences are looked at");
    assert_eq!(error.trouble.reason(), "damaged", "{error}");
}
