//! Signals that come while the daemon starts, with a database that takes connections and says nothing.

use std::fs;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{Daemon, House};

/// Takes every connection, and keeps it.
struct SilentDatabase {
    listener: TcpListener,
    held: Vec<TcpStream>,
}

impl SilentDatabase {
    /// The store of a house is there from now on.
    async fn of(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = fs::read_to_string(house.config()).unwrap();
        let (before, after) = config.split_once("url = 'sqlite:").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let url = format!("url = 'postgres://notafter@127.0.0.1:{port}/notafter?sslmode=disable'");
        fs::write(house.config(), format!("{before}{url}\n{after}")).unwrap();
        Self { listener, held: Vec::new() }
    }

    /// Somebody waits for an answer: the daemon has begun and is not ready.
    async fn is_asked(&mut self) {
        let asked = timeout(Duration::from_mins(1), self.listener.accept()).await.expect("it is asked");
        self.held.push(asked.unwrap().0);
    }
}

fn signal(daemon: &Daemon, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(daemon.0.id().to_string()).status();
    assert!(sent.unwrap().success(), "{name}");
}

async fn ended_within(daemon: &mut Daemon, seconds: u64) -> Option<ExitStatus> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if let Some(status) = daemon.0.try_wait().unwrap() {
            return Some(status);
        }
        sleep(Duration::from_millis(20)).await;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_for_its_database_is_stopped_at_once() {
    for name in ["TERM", "INT"] {
        let house = House::new().await;
        let mut database = SilentDatabase::of(&house).await;
        let mut daemon = house.run();
        database.is_asked().await;
        signal(&daemon, name);
        let ended = ended_within(&mut daemon, 5).await;
        let ended = ended.unwrap_or_else(|| panic!("{name}: it goes on:\n{}", house.log()));
        assert_eq!(ended.code(), Some(0), "{name}: {ended}\n{}", house.log());
        assert!(house.log().contains("stopped before it had begun"), "{name}:\n{}", house.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_is_asked_for_during_the_start_is_made_after_it() {
    let house = House::new().await;
    let mut database = SilentDatabase::of(&house).await;
    let mut daemon = house.run();
    database.is_asked().await;
    signal(&daemon, "HUP");
    assert!(ended_within(&mut daemon, 1).await.is_none(), "SIGHUP ends it:\n{}", house.log());
    // refused from here on, so that it goes on without a store
    drop(database);
    for _ in 0..600 {
        if house.log().contains("SIGHUP") {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(house.log().contains("by=\"SIGHUP\""), "{}", house.log());
    assert!(daemon.0.try_wait().unwrap().is_none(), "{}", house.log());
    signal(&daemon, "TERM");
    let ended = ended_within(&mut daemon, 20).await.expect("it stops");
    assert_eq!(ended.code(), Some(0), "{}", house.log());
}
