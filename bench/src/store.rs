//! P12, P15: what is known is written and read, and a daemon starts with it.
//!
//! `store write RESOURCES ROUNDS` measures the store alone, `store start PROGRAM HISTORY ROUNDS` a whole daemon with ten
//! thousand and a hundred thousand resources and a history of messages, `store syncs PROGRAM SECONDS` how often a daemon
//! that looks all the time has the disk made sure.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use notafter::domain::alert::message::{Kind, Message};
use notafter::domain::alert::outbox::Settled;
use notafter::domain::difference::Difference;
use notafter::domain::listing::Inspection;
use notafter::domain::snapshot::Snapshot;
use notafter::store::Store;
use sqlx::{AnyConnection, Connection};
use tokio::runtime::Runtime;

use crate::child::{Child, body, get};
use crate::daemon::Daemon;
use crate::fleet::{self, Member};
use crate::number;
use crate::table::{median, ms, row, short, verdict};

/// No look is due before then.
const NOTHING_DUE: Duration = Duration::from_hours(24 * 20);
/// One line of the page for each certificate.
const LINE: &str = "\nnotafter_certificate_not_after_timestamp_seconds{";

pub fn main(arguments: &[&str]) {
    match *arguments {
        ["write", resources, rounds] => write(number(resources), number(rounds)),
        ["start", program, history, rounds] => start(program, number(history), number(rounds)),
        ["syncs", program, seconds] => syncs(program, number(seconds) as u64),
        _ => panic!("see bench/run"),
    }
}

/// A fleet of which everything was looked at just now.
fn known(resources: usize) -> Snapshot {
    let now = Utc::now();
    let mut snapshot = fleet::snapshot(resources, now);
    for number in 0..resources {
        let member = Member::new(number, now);
        snapshot.scope_mut(&member.scope().into()).plan(&member.id, NOTHING_DUE);
    }
    snapshot
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("notafter.db").display())
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("notafter-bench-{name}-{}", std::process::id()));
    // left by a run that was ended
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("room");
    folder
}

fn write(resources: usize, rounds: usize) {
    let (runtime, folder) = (Runtime::new().expect("a runtime"), folder("write"));
    let snapshot = known(resources);
    let (mut whole, mut one, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let folder = folder.join(round.to_string());
        std::fs::create_dir(&folder).expect("room");
        runtime.block_on(async {
            let store = Store::open(&url(&folder)).await.expect("a store");
            let began = Instant::now();
            save(&store, &Snapshot::default(), &snapshot).await;
            whole.push(ms(began.elapsed()));
            let (member, mut changed) = (Member::new(round, Utc::now()), snapshot.clone());
            let looked = Inspection::Read(member.reading(Utc::now()));
            changed.scope_mut(&member.scope().into()).absorb_inspection(&member.id, looked, Utc::now());
            let began = Instant::now();
            save(&store, &snapshot, &changed).await;
            one.push(ms(began.elapsed()));
            store.close().await;
            let began = Instant::now();
            let store = Store::open(&url(&folder)).await.expect("a store");
            store.load(Utc::now()).await.expect("its own rows");
            read.push(ms(began.elapsed()));
            store.close().await;
        });
    }
    std::fs::remove_dir_all(folder).expect("our own");
    verdict("P15", &format!("state of {resources} written whole, the first save"), median(whole), 100.0, "ms");
    verdict("P15", &format!("one change of {resources} found and written, with its fsync"), median(one), 100.0, "ms");
    row("", &format!("state of {resources} opened and read"), &format!("{} ms", short(median(read))));
}

async fn save(store: &Store, old: &Snapshot, new: &Snapshot) {
    store.save(&Difference::between(old, new), Utc::now()).await.expect("room");
}

fn start(program: &str, history: usize, rounds: usize) {
    let times: Vec<f64> = [10_000, 100_000].map(|resources| start_with(program, resources, history, rounds)).into();
    verdict("P12", "100,000 resources in the state: exec to the whole first page", times[1], 1000.0, "ms");
    verdict("P12", "… against 10,000", times[1] / times[0], 12.0, "×");
}

/// Milliseconds from exec to the end of the first answer of `/metrics`, which has everything in it.
fn start_with(program: &str, resources: usize, history: usize, rounds: usize) -> f64 {
    let folder = folder("start");
    Runtime::new().expect("a runtime").block_on(async {
        let store = Store::open(&url(&folder)).await.expect("a store");
        save(&store, &Snapshot::default(), &known(resources)).await;
        store.close().await;
        add_history(&url(&folder), history).await;
    });
    let mut cloud = Child::role(&["cloud", "0"]);
    let accounts = cloud.ask("config").replace("\\n", "\n") + &format!("[store]\nurl = {:?}\n", url(&folder));
    let (mut bound, mut answered) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let began = Instant::now();
        let daemon = Daemon::start(program, &accounts, None);
        daemon.wait();
        bound.push(ms(began.elapsed()));
        get(&daemon.child.address, "/metrics", true);
        answered.push(ms(began.elapsed()));
        if round == 0 {
            let page = String::from_utf8(body(&daemon.child.address, "/metrics", false)).expect("text");
            assert_eq!(page.matches(LINE).count(), resources, "everything is there at once");
        }
    }
    std::fs::remove_dir_all(&folder).expect("our own");
    let took = median(answered);
    let what = format!("daemon with {resources} resources and {history} delivered messages: it listens, it has answered");
    row("P12", &what, &format!("{} ms, {} ms", short(median(bound)), short(took)));
    took
}

/// Delivered messages, one a second until now.
async fn add_history(url: &str, count: usize) {
    let (store, now) = (Store::open(url).await.expect("a store"), Utc::now());
    let template = Message {
        id: "evt_template".into(),
        channel: "ops".into(),
        kind: Kind::Test,
        route: "route 1".into(),
        at: now,
        items: Vec::new(),
        left_out: 0,
        overview: None,
    };
    store.commit_alerts(&[], &[template], now).await.expect("room");
    store.settle("evt_template", &Settled::Delivered { notes: Vec::new() }, now).await.expect("room");
    store.close().await;
    let mut connection = AnyConnection::connect(url).await.expect("it was closed");
    // about a kilobyte each, as messages about certificates have
    let statement = "INSERT INTO outbox (id, channel, state, urgency, attempts, parts_done, created_at, next_at, settled_at, message) \
         WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < $1) \
         SELECT 'evt_' || n, channel, state, urgency, 1, 0, created_at - 1000 * n, next_at - 1000 * n, settled_at - 1000 * n, \
         REPLACE(message, 'evt_template', 'evt_' || n) || printf('%1000s', '') FROM outbox CROSS JOIN number WHERE id = 'evt_template'";
    let rows = sqlx::query(statement).bind(i64::try_from(count).expect("a number"));
    rows.execute(&mut connection).await.expect("room");
    connection.close().await.expect("orderly");
}

/// A daemon that looks at two thousand resources again and again, watched by `strace`.
fn syncs(program: &str, seconds: u64) {
    let folder = folder("syncs");
    let mut cloud = Child::role(&["cloud", "2000"]);
    let accounts = cloud.ask("config").replace("\\n", "\n") + &format!("[store]\nurl = {:?}\n", url(&folder));
    let daemon = Daemon::start_looking(program, &accounts, "10s");
    daemon.wait();
    sleep(Duration::from_secs(20));
    let before = cloud.number("details");
    let traced = Command::new("timeout")
        .args(["--signal=INT", &seconds.to_string(), "strace", "-f", "-e", "trace=fsync,fdatasync", "-p"])
        .arg(daemon.child.pid().to_string())
        .stdout(Stdio::null())
        .output()
        .expect("strace");
    let looks = cloud.number("details") - before;
    let text = String::from_utf8_lossy(&traced.stderr);
    let syncs = text.lines().filter(|line| line.contains("sync(") && !line.contains("resumed")).count();
    std::fs::remove_dir_all(&folder).expect("our own");
    let what = format!("fsyncs a second while {} looks a second change the state", short(looks as f64 / seconds as f64));
    verdict("P15", &what, syncs as f64 / seconds as f64, 1.0, "");
}
