//! A store that cannot be used: what is said about it, that everything else goes on, and that it heals by itself.

use std::fs;
use std::process::Command;
use std::time::Duration;

use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::AlibabaCloud;
use notafter::store::{Store, StoreError};
use sqlx::{AnyConnection, Connection};

use crate::database::{Database, over_both};
use crate::postgres::Server;
use crate::program::{Program, certificates, store_is};
use crate::support::{PATIENT, QUICK, Running, cloud, config_text};

over_both!(
    a_newer_store_is_left_alone,
    tables_of_somebody_else_are_left_alone,
    a_store_that_heals_is_used_again_and_loses_nothing,
);

pub(crate) async fn refused(url: &str) -> StoreError {
    Store::open(url).await.expect_err("it cannot be used")
}

/// The daemon runs without its store: it says so, and everything else works.
async fn assert_runs_without(cloud: &AlibabaCloud, url: &str) -> Running {
    let daemon = Running::start(&config_text(cloud, url, PATIENT, "")).await;
    daemon.until_read(30).await;
    daemon.until_store_is(0).await;
    assert_eq!(daemon.get("/-/ready").await.0, 200);
    daemon
}

async fn a_newer_store_is_left_alone(database: Database) {
    database.open().await.close().await;
    database
        .meddle(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 7, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let error = refused(&database.url).await;
    let text = error.to_string();
    assert_eq!(error.trouble.reason(), "newer");
    assert!(
        text.contains("written by a newer notafter (tables of version 7; this one knows version 5)"),
        "{text}"
    );
    assert!(text.contains("use that version again, or move it away"), "{text}");
    assert_runs_without(&cloud().await, &database.url).await.stop().await;
    database.meddle("DELETE FROM _sqlx_migrations WHERE version = 7").await;
    assert_eq!(database.content().await.resources().count(), 0, "nothing was written");
}

async fn tables_of_somebody_else_are_left_alone(database: Database) {
    database.meddle("CREATE TABLE resource (mine BIGINT)").await;
    let error = refused(&database.url).await;
    assert_eq!(error.trouble.reason(), "foreign", "{error}");
    assert!(error.to_string().contains("give notafter a database of its own"), "{error}");
    database.meddle("INSERT INTO resource VALUES (1)").await;
}

/// A trigger, or a server that throws everybody out: writing fails, and later works again.
async fn a_store_that_heals_is_used_again_and_loses_nothing(database: Database) {
    let cloud = cloud().await;
    let daemon = Running::start(&config_text(&cloud, &database.url, QUICK, "")).await;
    daemon.until_read(30).await;
    daemon.until_store_is(1).await;
    break_it(&database).await;
    daemon.until_store_is(0).await;
    assert!(cloud.delete("redis-cn-hangzhou-0"));
    daemon.until("polling goes on", |snapshot| snapshot.resources().count() == 29).await;
    mend_it(&database).await;
    daemon.until_store_is(1).await;
    let last = daemon.snapshots.clone();
    daemon.stop().await;
    let (stored, known): (Snapshot, _) = (database.content().await, last.borrow().clone());
    assert_eq!(stored.resources().count(), 29);
    for ((_, stored), (_, known)) in stored.resources().zip(known.resources()) {
        let millis = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.timestamp_millis());
        assert_eq!((&stored.id, millis(stored.looked_at)), (&known.id, millis(known.looked_at)));
    }
}

async fn break_it(database: &Database) {
    let Some(name) = &database.name else {
        let fail =
            "CREATE TRIGGER broken BEFORE INSERT ON resource_chunk BEGIN SELECT RAISE(FAIL, 'broken'); END";
        return database.meddle(fail).await;
    };
    let server = Server::shared();
    server.administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    server.administer(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    ));
}

async fn mend_it(database: &Database) {
    match &database.name {
        None => database.meddle("DROP TRIGGER broken").await,
        Some(name) => Server::shared().administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_told_and_heals_once_it_is_moved_away() {
    let database = Database::sqlite();
    fs::write(database.path(), "this is no database, and it is long enough to be told from one".repeat(99))
        .unwrap();
    let error = refused(&database.url).await;
    let (path, text) = (database.path().display().to_string(), error.to_string());
    assert_eq!(error.trouble.reason(), "damaged");
    assert!(text.starts_with(&format!("{path}: it is damaged (file is not a database); ")), "{text}");
    assert!(text.contains(&format!("mv {path} {path}.damaged")), "{text}");
    let cloud = cloud().await;
    let daemon = assert_runs_without(&cloud, &database.url).await;
    fs::rename(database.path(), database.path().with_extension("damaged")).unwrap();
    daemon.until_store_is(1).await;
    daemon.stop().await;
    assert_eq!(database.content().await.resources().count(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_written_over_is_noticed_at_the_start() {
    let (cloud, database) = (cloud().await, Database::sqlite());
    let daemon = Running::start(&config_text(&cloud, &database.url, PATIENT, "")).await;
    daemon.until_read(30).await;
    daemon.stop().await;
    let mut bytes = fs::read(database.path()).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(database.path(), bytes).unwrap();
    let error = refused(&database.url).await;
    assert_eq!(error.trouble.reason(), "damaged", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_daemon_uses_is_told_with_its_process_and_taken_over_when_that_ends() {
    let database = Database::sqlite();
    let other = database.open().await;
    let error = refused(&database.url).await;
    assert_eq!(error.trouble.reason(), "in_use");
    let process = format!("another notafter uses it (process {})", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    let cloud = cloud().await;
    let daemon = assert_runs_without(&cloud, &database.url).await;
    other.close().await;
    daemon.until_store_is(1).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_program_is_told() {
    let database = Database::sqlite();
    database.open().await.close().await;
    sqlx::any::install_default_drivers();
    let mut shell = AnyConnection::connect(&database.connect_url()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    let error = refused(&database.url).await;
    assert_eq!(error.trouble.reason(), "busy", "{error}");
    assert!(error.to_string().contains("close the program that has it open"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_cannot_be_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    fs::create_dir(folder.path().join("folder.db")).unwrap();
    for (name, url, reason, want) in [
        ("no folder", format!("sqlite:{path}/none/n.db"), "system", "make the folder"),
        ("a folder", format!("sqlite:{path}/folder.db"), "shut", "unable to open database file"),
        ("below a file", format!("sqlite:{path}/folder.db.lock/n.db"), "system", "Not a directory"),
        (
            "no server",
            format!("postgres://me:HUNTER2@localhost/n?host={path}"),
            "unreachable",
            "start the database",
        ),
        (
            "no port",
            "postgres://me:HUNTER2@127.0.0.1:1/n".to_owned(),
            "unreachable",
            "postgres://me@127.0.0.1:1/n: ",
        ),
        ("no address", "me:HUNTER2".to_owned(), "address", "correct `store.url`"),
    ] {
        let error = refused(&url).await;
        let text = error.to_string();
        assert_eq!(error.trouble.reason(), reason, "{name}: {text}");
        assert!(text.contains(want), "{name}: {text}");
        assert!(!text.contains("HUNTER2") && !format!("{error:?}").contains("HUNTER2"), "{name}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_quoted() {
    let database = Database::postgres();
    let name = database.name.clone().unwrap();
    database.open().await.close().await;
    let error = refused(&database.url.replace(&name, "none")).await;
    assert!(error.to_string().contains("database \"none\" does not exist"), "{error}");
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    Server::shared().administer(&read_only);
    let error = refused(&database.url).await;
    assert_eq!(error.trouble.reason(), "read_only", "{error}");
}

/// A file system of its own for the program: needs the right to mount one.
pub(crate) fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        println!("not tried: this machine does not let us mount a file system (unshare -m)");
    }
    can
}

pub(crate) fn on_its_own_disk(size: &str, then: &str) -> String {
    let inner = format!("mount -t tmpfs -o size={size} none \"$STORE\" && {then} exec \"$0\" \"$@\"");
    format!("exec unshare -m sh -c '{inner}' \"$0\" \"$@\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_place_is_told_and_everything_else_goes_on() {
    if !can_mount() {
        return;
    }
    let (cloud, database) = (cloud().await, Database::sqlite());
    let shell = on_its_own_disk("1m", "mount -o remount,ro \"$STORE\" &&");
    let mut program = Program::start(&cloud, &database.url, QUICK, &shell);
    program.until("it runs without", |page| certificates(page) == 30 && store_is(page, false)).await;
    let log = program.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("is not kept")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("ERROR") && told[0].contains("Read-only file system"), "{}", told[0]);
    assert!(told[0].contains("notafter.db") && told[0].contains("name a place"), "{}", told[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_once_and_heals_when_there_is_room() {
    if !can_mount() {
        return;
    }
    let (cloud, database) = (cloud().await, Database::sqlite());
    let shell = on_its_own_disk("900k", "");
    let mut program = Program::start(&cloud, &database.url, QUICK, &shell);
    program.until("it keeps", |page| certificates(page) == 30 && store_is(page, true)).await;
    let ballast = program.inside(&database.path().with_file_name("ballast"));
    fill(&ballast);
    program.until("the disk is full", |page| store_is(page, false)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let page = program.page().await.expect("it serves");
    assert!(certificates(&page) == 30 && store_is(&page, false));
    fs::remove_file(&ballast).unwrap();
    program.until("it keeps again", |page| store_is(page, true)).await;
    let log = program.log();
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!((lines("is not kept"), lines("there is no room left"), lines("again")), (1, 1, 1), "{log}");
}

/// Takes all the room there is, again and again: the write-ahead log may have given some back.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}
