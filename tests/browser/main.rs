//! Pages as people see them: a real Chromium opens each of them, in both languages, light and dark, wide and on a phone,
//! while the demonstration runs underneath. axe-core looks for what keeps anybody out.
//!
//! Everybody is logged in, so that every form is seen; one message was given up and one silence holds before it begins.
//!
//! Needs Debian's `chromium` and `npm`; the two packages from npm go to a folder below `target` and stay there.
//! `NOTAFTER_SCREENSHOTS=FOLDER` keeps pictures of what was seen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{TimeDelta, Utc};
use notafter::config;
use notafter::daemon::Daemon;
use notafter::domain::alert::message::{Kind, Message};
use notafter::domain::alert::outbox::Settled;
use notafter::domain::alert::silence::SilenceRow;
use notafter::shutdown::Stop;
use notafter::sim::demo::{self, Clouds, Inboxes};
use notafter::store::Store;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A machine that does many things at once is slow.
const PATIENCE: Duration = Duration::from_mins(2);
/// What drives the browser and what looks for obstacles, as npm names them.
const PACKAGES: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Of the user `demo`.
const PASSWORD: &str = "wonderland";

/// The demonstration with its receivers; ends with this value.
struct Demo {
    address: SocketAddr,
    _clouds: Clouds,
    _inboxes: Inboxes,
    _folder: tempfile::TempDir,
    _stop: Stop,
}

impl Demo {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clouds = demo::start(260, 20_261_122, Utc::now()).await.expect("simulated clouds");
        let inboxes = Inboxes::start(None).await.expect("simulated receivers");
        let database = folder.path().join("notafter.db");
        before(&database).await;
        // the cost of a password is a matter of other tests
        let users = format!("{{ demo = \"{}\" }}", bcrypt::hash(PASSWORD, 4).expect("a hash"));
        let text = demo::config_toml(&clouds, "127.0.0.1:9809", Some(&users))
            + &inboxes.config_toml(&database)
            + demo::renewal_toml();
        let mut config = config::parse(&text, "demo").expect("a configuration");
        config.web.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config.web.control_socket = Some(folder.path().join("control.sock"));
        let daemon = Daemon::prepare(config, &|_| None).await.expect("a daemon");
        let (address, stop) = (daemon.addresses()[0], Stop::new());
        tokio::spawn(daemon.run(stop.listener()));
        let demo = Self { address, _clouds: clouds, _inboxes: inboxes, _folder: folder, _stop: stop };
        timeout(PATIENCE, demo.settled()).await.expect("everything there is to see");
        demo
    }

    /// Everything was read once, told and planned, so that every part of the page has something in it.
    async fn settled(&self) {
        for (path, wanted) in [
            ("/-/ready", "ready"),
            ("/", "class=\"timeline\""),
            ("/", "evt_given_up"),
            ("/", "sil_moving"),
            ("/api/v1/notifications", "\"state\":\"delivered\""),
            ("/api/v1/renewals", "\"state\":\"announced\""),
        ] {
            while !self.body(path).await.replace("\": ", "\":").contains(wanted) {
                sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn body(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the daemon lives");
        let request = format!(
            "GET {path} HTTP/1.0\r\nhost: {}\r\nauthorization: {}\r\n\r\n",
            self.address,
            authorization()
        );
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let body: Value = serde_json::from_str(&self.body(path).await).expect("JSON");
        body["items"].as_array().cloned().unwrap_or_default()
    }

    /// The pages to look at, by name; pictures are made of those whose name does not begin with `_`.
    async fn pages(&self) -> Value {
        let certificates = self.items("/api/v1/certificates?limit=1000&state=all").await;
        let renewals = self.items("/api/v1/renewals").await;
        let announced = renewals.iter().find(|item| item["attempt"]["state"] == "announced").expect("one");
        // what is announced and not over yet has most to tell
        let now = Utc::now().timestamp();
        let is_ahead = |item: &&Value| {
            let key = (&item["resource_id"], &item["cloud_account"]);
            let same = |other: &&Value| (&other["resource_id"], &other["cloud_account"]) == key;
            let end = certificates.iter().find(same).and_then(|item| item["not_after_unix"].as_i64());
            item["attempt"]["state"] == "announced" && end.is_some_and(|end| end > now)
        };
        let lively = renewals.iter().find(is_ahead).unwrap_or(announced);
        let failing = certificates.iter().find(|item| !item["failure"].is_null());
        let two = certificates.iter().find(|item| item["cert_role"] == "ca").expect("a cache with a CA");
        let off = certificates.iter().find(|item| item["state"] == "disabled").expect("one without TLS");
        let order = format!("/renewals/order?resource={}", text(&announced["resource_id"]));
        let mut pages = json!({
            "overview": "/",
            "resource": resource(lively),
            "_two": resource(two),
            "_off": resource(off),
            "_all": "/?stage=all&sort=-ends&page=2",
            "_none": "/?q=zzz",
            "_unknown": "/resource?id=nothing",
            "_renewal": format!("/renewals/{}", text(&announced["id"])),
            "_order": order,
        });
        if let Some(failing) = failing {
            pages["_failing"] = resource(failing).into();
        }
        pages
    }
}

/// What is there before the daemon begins: a message that was given up, and a silence.
async fn before(database: &Path) {
    let (store, now) =
        (Store::open(&format!("sqlite:{}", database.display())).await.expect("a store"), Utc::now());
    let message = Message {
        id: "evt_given_up".into(),
        channel: "ops-slack".into(),
        kind: Kind::Test,
        route: "".into(),
        at: now - TimeDelta::days(2),
        items: Vec::new(),
        left_out: 0,
        overview: None,
    };
    store.commit_alerts(&[], &[message], now).await.expect("written");
    store.claim("ops-slack", now).await.expect("read").expect("the message");
    let error = "HTTP 404: no_service (the webhook of this channel was removed)".into();
    store.settle("evt_given_up", &Settled::Dead { error, unanswered: false }, now).await.expect("written");
    let silence = SilenceRow {
        id: "sil_moving".into(),
        matcher: Some("cloud_service=\"mongodb\", tag:env=\"staging\"".into()),
        fingerprint: None,
        stage: None,
        starts_at: now - TimeDelta::hours(5),
        ends_at: now + TimeDelta::days(3),
        author: "alice".into(),
        comment: "moving to another region this week".into(),
        include_expired: false,
    };
    store.add_silence(&silence).await.expect("written");
    store.close().await;
}

fn authorization() -> String {
    format!("Basic {}", STANDARD.encode(format!("demo:{PASSWORD}")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn resource(item: &Value) -> String {
    let part = |name: &str| {
        percent_encoding::utf8_percent_encode(text(&item[name]), percent_encoding::NON_ALPHANUMERIC)
            .to_string()
    };
    format!(
        "/resource?id={}&account={}&service={}",
        part("resource_id"),
        part("cloud_account"),
        part("cloud_service")
    )
}

/// The folder with the packages, which are fetched where they are not there yet.
fn packages() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let is_there = |package: &str| {
        let (name, version) = package.rsplit_once('@').expect("a version");
        let file = folder.join("node_modules").join(name).join("package.json");
        let known = std::fs::read_to_string(file).unwrap_or_default();
        known.contains(&format!("\"version\": \"{version}\""))
    };
    if !PACKAGES.iter().all(|package| is_there(package)) {
        std::fs::create_dir_all(&folder).expect("a folder");
        let npm = Command::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .args(PACKAGES)
            .output()
            .expect("npm on the PATH (Debian package `npm`)");
        assert!(npm.status.success(), "npm: {}", String::from_utf8_lossy(&npm.stderr));
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_for_everybody() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let started = std::time::Instant::now();
    let (demo, packages) = (Demo::begin().await, packages());
    eprintln!("settled after {:?}", started.elapsed());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/look.mjs");
    let pages = demo.pages().await.to_string();
    let mut node = tokio::process::Command::new("node");
    node.arg(script).arg(packages).arg(format!("http://{}", demo.address)).arg(pages);
    node.env("AUTHORIZATION", authorization());
    if let Some(folder) = std::env::var_os("NOTAFTER_SCREENSHOTS") {
        node.arg(folder);
    }
    let looked = timeout(PATIENCE, node.output()).await.expect("in time").expect("node on the PATH");
    eprintln!("looked at after {:?}", started.elapsed());
    let (said, errors) = (String::from_utf8_lossy(&looked.stdout), String::from_utf8_lossy(&looked.stderr));
    assert!(looked.status.success(), "{errors}");
    let problems: Vec<String> = serde_json::from_str(&said).expect("a list of problems");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
