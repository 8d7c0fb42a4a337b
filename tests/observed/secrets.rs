//! One search over everything that anybody can see, for secrets of every kind: log at trace level, pages, API, metrics,
//! store, support bundles, what commands print, errors.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use chrono::DateTime;
use notafter::store::Store;
use serde_json::Value;

use crate::planted::{HOOK, PASSWORD, SLACK, SMTP, WRONG, World};
use crate::support::{Daemon, House};

const PATHS: [&str; 16] = [
    "/",
    "/?lang=zh",
    "/metrics",
    "/calendar.ics",
    "/-/healthy",
    "/-/ready",
    "/api/v1/status",
    "/api/v1/scopes",
    "/api/v1/certificates?state=all",
    "/api/v1/alerts",
    "/api/v1/notifications",
    "/api/v1/silences",
    "/api/v1/renewals",
    "/api/v1/plan",
    "/api/v1/log-level",
    "/no-such-page",
];

/// What was seen, by place.
type Seen = Vec<(String, String)>;

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_to_be_seen_anywhere() {
    let house = House::new().await;
    let folder = house.folder.path().to_owned();
    fs::write(folder.join("smtp"), SMTP).unwrap();
    let world = World::new(&house.config(), &folder, house.port, house.receiver.port).await;
    complete(&house, &world);
    let mut seen: Seen = Vec::new();
    alone(&house, "before", &mut seen).await;
    let daemon = run(&house);
    for _ in 0..600 {
        if tokio::net::UnixStream::connect(house.socket()).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    house.until("/api/v1/status", |status| status["ready"] == true).await;
    look(&house, "a good day", &mut seen).await;
    world.repeat();
    house.receiver.fail(true);
    tokio::time::sleep(Duration::from_secs(8)).await;
    look(&house, "a bad day", &mut seen).await;
    world.lender.clear_faults();
    commands(&house, &mut seen).await;
    drop(daemon);
    alone(&house, "bad, without a daemon", &mut seen).await;
    world.behave();
    for name in ["log", "notafter.db", "notafter.db-wal"] {
        let bytes = fs::read(folder.join(name)).unwrap_or_default();
        seen.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    // a text may stand on two pages of the file
    let store = Store::open(&format!("sqlite:{}", folder.join("notafter.db").display())).await.unwrap();
    let known = store.load(DateTime::UNIX_EPOCH).await.unwrap().snapshot;
    assert!(known.resources().count() > 0, "what is known was kept");
    seen.push(("what is known".to_owned(), format!("{known:?}")));
    store.close().await;
    everything_was_looked_at(&seen, &world, &house);
    let mut found = Vec::new();
    for secret in world.secrets() {
        for (place, text) in &seen {
            let at = text.find(&secret).map(|at| &text[text.floor_char_boundary(at.saturating_sub(100))..at]);
            found.extend(at.map(|before| format!("{secret} is in {place}, behind {before:?}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is known only once the clouds run.
fn complete(house: &House, world: &World) {
    let (uid, id) = world
        .lender
        .modify(|fleet| (fleet.accounts[0].uid.to_string(), fleet.accounts[0].keys[0].id.to_string()));
    let text = fs::read_to_string(house.config()).unwrap();
    let text = text.replace("KEYID", &id).replace("ROLE", &format!("acs:ram::{uid}:role/reader"));
    fs::write(house.config(), text).unwrap();
}

fn run(house: &House) -> Daemon {
    let log = fs::File::create(house.folder.path().join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
    command
        .args(["--log-level", "trace", "run", "--config"])
        .arg(house.config())
        .current_dir(house.folder.path());
    Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

/// Everything that a running daemon shows.
async fn look(house: &House, when: &str, seen: &mut Seen) {
    let basic = |password: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("alice:{password}"));
        format!("authorization: Basic {text}\r\n")
    };
    let mut paths: Vec<String> = PATHS.map(str::to_owned).into();
    let certificates = house.ask("GET", "/api/v1/certificates?state=all&limit=1000", "").await.1;
    for item in certificates["items"].as_array().unwrap().iter().take(30) {
        let id = item["resource_id"].as_str().unwrap_or_default();
        paths.push(format!("/api/v1/explain?resource_id={id}"));
        paths.extend(item["link"].as_str().map(str::to_owned));
    }
    for path in paths {
        for (who, header) in [("alice", basic(PASSWORD)), ("a wrong password", basic(WRONG))] {
            if who == "alice" || path == "/" {
                let (_, text) = house.ask_port("GET", &path, &header).await;
                seen.push((format!("{path} on {when} for {who}"), text));
            }
        }
    }
    for (method, path, body) in [
        ("POST", "/api/v1/notifications/test", "{}"),
        ("POST", "/-/reload", ""),
        ("POST", "/api/v1/bundle", ""),
        ("PUT", "/api/v1/log-level", "{\"levels\":\"trace\",\"for\":\"1h\"}"),
    ] {
        let (_, answer) = house.ask(method, path, body).await;
        seen.push((format!("{method} {path} on {when}"), answer.to_string()));
    }
    bundle(house, &format!("daemon-{}", seen.len()), seen).await;
}

/// A bundle, whole, and what is made of its answers.
async fn bundle(house: &House, name: &str, seen: &mut Seen) {
    let path = house.folder.path().join(format!("{name}.tar.gz"));
    let said = house.says(&["doctor", "--bundle", path.to_str().unwrap()]).await;
    assert_eq!(said.code, 0, "{said:?}");
    seen.push((format!("the archive {name}"), unpacked(&path)));
    let again = house.says(&["doctor", "--replay", path.to_str().unwrap()]).await;
    assert_eq!(again.code, 0, "{again:?}");
    seen.push((format!("the replay of {name}"), again.out + &again.err));
    seen.push((format!("what is said of {name}"), said.out + &said.err));
    let twice = house.says(&["doctor", "--bundle", path.to_str().unwrap()]).await;
    assert!(twice.code == 1 && twice.err.contains("not overwritten"), "{twice:?}");
}

fn unpacked(path: &Path) -> String {
    let output = Command::new("tar").args(["-xzOf"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What commands print that need no daemon.
async fn alone(house: &House, when: &str, seen: &mut Seen) {
    for words in [&["config"][..], &["doctor"], &["doctor", "--format", "json"], &["notify", "test"]] {
        let said = house.says(words).await;
        seen.push((format!("{words:?} {when}"), said.out + &said.err));
    }
    bundle(house, &format!("alone-{}", seen.len()), seen).await;
}

/// What commands print that ask the daemon, at the level at which everything is logged.
async fn commands(house: &House, seen: &mut Seen) {
    for words in [
        &["status"][..],
        &["plan"],
        &["renewals", "list", "--all"],
        &["explain", "pgm-planted-0"],
        &["explain", "ssl-planted"],
        &["check"],
        &["silence", "list"],
        &["reload"],
    ] {
        let words: Vec<&str> = ["--log-level", "trace"].iter().chain(words).copied().collect();
        let said = house.says(&words).await;
        seen.push((format!("{words:?}"), said.out + &said.err));
    }
}

/// A search that finds nothing in nothing proves nothing.
fn everything_was_looked_at(seen: &Seen, world: &World, house: &House) {
    let all: String = seen.iter().map(|(_, text)| text.as_str()).collect();
    for want in [
        "TRACE",
        "a.example",
        "pgm-planted-0",
        "ssl-planted",
        "-----BEGIN CERTIFICATE-----",
        "sts:AssumeRole",
        "ServerKey",
        "SSLContent",
        "rds:DescribeDBInstanceSSL",
        "dcs:DownloadSslCert",
        "access_key_secret",
        "schema_known",
        "notafter_tasks",
        "answers read again",
        "odd_name_0",
    ] {
        assert!(all.contains(want), "never seen: {want}");
    }
    assert!(!world.lent().is_empty(), "a role was lent");
    let got = house.receiver.bodies.lock().unwrap().clone();
    for secret in [HOOK, SLACK] {
        assert!(got.contains(secret), "the receiver alone knows {secret}");
    }
    let replay = seen.iter().find(|(place, _)| place.starts_with("the replay of daemon")).unwrap();
    what_was_read_well_is_read_well_again(&replay.1);
    let bundle = seen.iter().find(|(place, _)| place.starts_with("POST /api/v1/bundle")).unwrap();
    let bundle: Value = serde_json::from_str(&bundle.1).unwrap();
    let names: Vec<&str> =
        bundle["files"].as_array().unwrap().iter().filter_map(|file| file["name"].as_str()).collect();
    let want = [
        "about.json",
        "config.toml",
        "status.json",
        "scopes.json",
        "renewals.json",
        "store.json",
        "log.txt",
        "answers.json",
        "metrics.txt",
    ];
    assert_eq!(names, want);
}

/// With its secrets taken out an answer still is read as it was, by every reader of every cloud.
fn what_was_read_well_is_read_well_again(replay: &str) {
    let answers: Vec<&str> = replay.split("== ").skip(1).collect();
    let well = |answer: &&&str| answer.contains("then: read well");
    for answer in answers.iter().filter(well) {
        let now = answer.split("now:  ").nth(1).unwrap();
        let fits = ["read well", "this call is not read again", "nothing was kept"]
            .iter()
            .any(|fits| now.starts_with(fits));
        assert!(fits || answer.contains("rows left out"), "{answer}");
    }
    for action in [
        "kvstore:DescribeRegions",
        "kvstore:DescribeInstances",
        "kvstore:DescribeInstanceSSL",
        "rds:DescribeDBInstances",
        "rds:DescribeDBInstanceSSL",
        "rds:ListTagResources",
        "dds:DescribeDBInstances",
        "uaccount:GetRegion",
        "uaccount:GetProjectList",
        "ulb:DescribeSSLV2",
        "iam:KeystoneListAuthProjects",
        "dcs:instance:list",
        "dcs:ssl:get",
    ] {
        let read = |answer: &&&str| answer.contains(action) && answer.contains("now:  read well");
        assert!(answers.iter().filter(well).any(|answer| read(&answer)), "{action}: {replay}");
    }
    assert!(replay.contains("sts:AssumeRole"), "lent keys: the form alone");
}
