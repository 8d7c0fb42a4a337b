//! A process that commits, takes and settles messages is killed at any moment, again and again: what it was told to be
//! done is done, what was told and what is remembered are never apart, and what was on its way is sent again.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use notafter::domain::alert::memory::Memory;
use notafter::domain::alert::outbox::{Row, Settled, State};
use notafter::domain::finding::Stage;
use notafter::store::{Store, StoreError};

use crate::alerts::{after, memory, message, take};
use crate::database::{Database, over_both};
use crate::support::moment;
use crate::trouble::{can_mount, on_its_own_disk};

over_both!(what_was_acknowledged_survives_kill_9);

const KILLS: u64 = 15;
/// Where the writing process finds its store.
const URL: &str = "NOTAFTER_TEST_WRITES_TO";

/// Not a test of its own: the process that is killed.
#[tokio::test]
async fn writer() {
    let Ok(url) = std::env::var(URL) else { return };
    if let Err(error) = write_until_it_fails(&url).await {
        println!("failed {}", error.trouble.reason());
    }
}

async fn write_until_it_fails(url: &str) -> Result<(), StoreError> {
    let store = Store::open(url).await?;
    store.return_sending(moment()).await?;
    println!("ready");
    let begin = store.messages(&State::ALL, usize::MAX, None).await?.len();
    for n in begin.. {
        let id = format!("evt_{n:06}");
        let rows = memory(&[&id]).rows_since(&Memory::default());
        let when = i64::try_from(n).unwrap() % 10_000;
        store.commit_alerts(&rows, &[message(&id, "ops", Stage::Info, when)], moment()).await?;
        println!("committed {id}");
        let row = store.claim("ops", after(1)).await?.expect("at least the one just made");
        let id = row.message.id.into_string();
        store.progress(&id, 1).await?;
        store
            .settle(&id, &Settled::Delivered { notes: vec![(id.clone(), "x".to_owned())] }, moment())
            .await?;
        println!("settled {id}");
    }
    Ok(())
}

fn start_writer(url: &str, shell: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    command.args(["alert_crash::writer", "--exact", "--nocapture"]).env(URL, url);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(folder) = url.strip_prefix("sqlite:").and_then(|path| std::path::Path::new(path).parent()) {
        command.env("STORE", folder);
    }
    command.spawn().unwrap()
}

/// What it wrote, from `ready` on, killed a while after that.
fn run_and_kill(url: &str, wait: Duration) -> Vec<String> {
    let mut child = start_writer(url, "");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready = lines.find(|line| line.ends_with("ready"));
    ready.expect("the writer starts");
    let reader = std::thread::scope(|scope| {
        let reader = scope.spawn(move || lines.collect());
        std::thread::sleep(wait);
        child.kill().unwrap();
        reader.join().unwrap()
    });
    child.wait().unwrap();
    reader
}

async fn what_was_acknowledged_survives_kill_9(database: Database) {
    let (mut committed, mut settled) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..KILLS {
        let (url, wait) = (database.url.clone(), Duration::from_millis(round * 53 % 300));
        for line in tokio::task::spawn_blocking(move || run_and_kill(&url, wait)).await.unwrap() {
            match line.split_once(' ') {
                Some(("committed", id)) => drop(committed.insert(id.to_owned())),
                Some(("settled", id)) => drop(settled.insert(id.to_owned())),
                _ => panic!("{line}"),
            }
        }
        // A server may still be at what a client asked for that is no more.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let store = database.open().await;
        assert_whole(&store, &committed, &settled).await;
        store.close().await;
    }
    assert!(settled.len() > 20, "it did get to do something: {}", settled.len());
}

async fn assert_whole(store: &Store, committed: &BTreeSet<String>, settled: &BTreeSet<String>) {
    let rows = store.messages(&State::ALL, usize::MAX, None).await.unwrap();
    let of =
        |state: State| rows.iter().filter(move |row| row.state == state).map(id).collect::<BTreeSet<_>>();
    let all: BTreeSet<_> = rows.iter().map(id).collect();
    assert!(committed.is_subset(&all), "lost: {:?}", committed.difference(&all));
    let told = store.load_alerts().await.unwrap().memory.channels;
    assert!(
        told.keys().map(|key| &**key).eq(all.iter().map(String::as_str)),
        "what is remembered is what is told"
    );
    let delivered = of(State::Delivered);
    assert!(settled.is_subset(&delivered), "forgotten: {:?}", settled.difference(&delivered));
    let noted: BTreeSet<_> = store.notes("ops").await.unwrap().into_keys().collect();
    assert_eq!(noted, delivered, "notes come with the delivery");

    let sending = of(State::Sending);
    assert!(sending.len() <= 1, "{sending:?}");
    assert_eq!(store.return_sending(moment()).await.unwrap(), sending.len());
    if let Some(sent) = sending.first() {
        let again = take(store, "ops").await.expect("it is sent again");
        assert_eq!((&*again.message.id, again.attempts >= 2), (sent.as_str(), true));
    }
}

fn id(row: &Row) -> String {
    row.message.id.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told() {
    if !can_mount() {
        return;
    }
    let database = Database::sqlite();
    let child = start_writer(&database.url, &on_its_own_disk("1m", ""));
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let last: Vec<_> = output.lines().filter(|line| line.starts_with("failed")).collect();
    assert_eq!(last, ["failed full"], "{output}");
}
