//! The real program with one RDS instance at a simulated cloud, a receiver, and a control socket.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use notafter::domain::renewal::attempt::Attempt;
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Region, Renewal};
use notafter::sim::receivers::Reception;
use notafter::sim::receivers::webhook::Webhook;
use notafter::store::Store;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";
pub(crate) const HOST: &str = "pgm-own.pg.rds.aliyuncs.com";
pub(crate) const ID: &str = "pgm-own";
pub(crate) const REGION: &str = "cn-hangzhou";
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// See the module.
pub(crate) struct Home {
    pub(crate) cloud: AlibabaCloud,
    pub(crate) reception: Reception,
    folder: tempfile::TempDir,
    port: u16,
    daemon: Option<Child>,
}

impl Home {
    /// An instance whose certificate is the customer's own, or the cloud's.
    pub(crate) async fn new(own: bool) -> Self {
        crate::common::crypto();
        let mut fleet = Fleet::new(vec![Region::new(REGION, "华东", REGION)]);
        fleet.renewal = Renewal { takes: TimeDelta::seconds(3), life: TimeDelta::days(365) };
        fleet.accounts =
            vec![Account { uid: "1".into(), name: "prod".into(), keys: vec![Key::new("prod", SECRET)] }];
        let end = Utc::now() + TimeDelta::days(9);
        let host = HOST.into();
        fleet.insert(Instance {
            custom_ca: own,
            host,
            ..Instance::new(Engine::PostgreSql, ID, "1", REGION, end)
        });
        let cloud = AlibabaCloud::start(fleet, Utc::now).await.unwrap();
        let reception = Reception::start(Arc::new(Webhook::notafter(&[SIGNING])), Utc::now).await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = Self { cloud, reception, folder: tempfile::tempdir().unwrap(), port, daemon: None };
        home.configure(own);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything is allowed around now, and hardly anything is waited for.
    fn configure(&self, own: bool) {
        let hour = |hours: i64| (Utc::now() + TimeDelta::hours(hours)).format("%H:%M").to_string();
        let (from, to, base, port) = (hour(-6), hour(6), self.cloud.base_url(), self.port);
        let path = |name: &str| self.path(name).display().to_string();
        let (socket, store, hook) = (path("control.sock"), path("notafter.db"), self.reception.base_url());
        let (cert, key) = (path("fullchain.pem"), path("privkey.pem"));
        let pair = || format!("certificate = {{ cert_file = '{cert}', key_file = '{key}' }}\n");
        let certificate = if own { pair() } else { String::new() };
        let text = format!(
            "[poll]\nmax_age = \"8s\"\nmin_interval = \"2s\"\ndiscover_every = \"1s\"\ntimeout = \"3s\"\n\
             [[account]]\nname = \"prod\"\nprovider = \"alibaba\"\nrate_limit = 200\nservices = [\"rds\"]\n\
             credentials = {{ access_key_id = \"prod\", access_key_secret = \"{SECRET}\" }}\n\
             endpoints = {{ rds = \"{base}\" }}\n\
             [[channel]]\nname = \"hook\"\ntype = \"webhook\"\nrate = 6000\nurl = \"{hook}/hook\"\nsecret = \"{SIGNING}\"\n\
             [[route]]\nchannels = [\"hook\"]\ngroup_wait = \"1s\"\n\
             [renewal]\nmode = \"auto\"\nannounce = \"1s\"\n\
             [[renewal.allow]]\nmatch = 'cloud_service=\"rds\"'\n\
             window = {{ timezone = \"UTC\", from = \"{from}\", to = \"{to}\" }}\n{certificate}\
             [store]\nurl = \"sqlite:{store}\"\n\
             [web]\nlisten = [\"127.0.0.1:{port}\"]\ncontrol_socket = \"{socket}\"\n"
        );
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path("config.toml"))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Says something else in the configuration.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let text = fs::read_to_string(self.path("config.toml")).unwrap();
        assert!(text.contains(old), "{old} is not in the configuration");
        fs::write(self.path("config.toml"), text.replace(old, new)).unwrap();
    }

    /// Puts a pair on the disk, and says what its key is made of.
    pub(crate) fn pair(&self, host: &str, end: DateTime<Utc>, other_key: bool) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let part = |number: u32| u8::try_from(number).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(end.year(), part(end.month()), part(end.day()));
        let another = || KeyPair::generate().unwrap().serialize_pem();
        let pem = if other_key { another() } else { key.serialize_pem() };
        fs::write(self.path("fullchain.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(self.path("privkey.pem"), &pem).unwrap();
        pem
    }

    pub(crate) fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(&["run", "--log-level", "trace"]);
        self.daemon = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(words).arg("--config").arg(self.path("config.toml")).current_dir(self.folder.path());
        command.env("USER", "alice").stdin(Stdio::null());
        command
    }

    /// What a command says.
    pub(crate) async fn says(&self, words: &[&str]) -> String {
        self.ends(words).await.1
    }

    /// With which code a command ends, and what it says.
    pub(crate) async fn ends(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command(words);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        (output.status.code(), format!("{out}{err}"))
    }

    /// Waits until people heard this word.
    pub(crate) async fn until_told(&self, word: &str) {
        for _ in 0..200 {
            if self.told().contains(word) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("nobody heard {word}: {}\n{}", self.told(), tail(&self.log()));
    }

    /// Ids of the messages with this word, each once.
    pub(crate) fn ids_told(&self, word: &str) -> BTreeSet<String> {
        let has = |body: Option<Value>| body.is_some_and(|body| body.to_string().contains(word));
        let meant = self.reception.deliveries().into_iter().filter(|got| has(got.request.json()));
        meant.map(|got| got.request.header("webhook-id").unwrap().to_owned()).collect()
    }

    /// The end of a certificate as the store has it. No daemon runs.
    pub(crate) async fn kept_end(&self, id: &str) -> Option<DateTime<Utc>> {
        let store = Store::open(&format!("sqlite:{}", self.path("notafter.db").display())).await.unwrap();
        let known = store.load(Utc::now()).await.unwrap().snapshot;
        store.close().await;
        let found = known.resources().find(|(_, resource)| &*resource.id == id);
        found.and_then(|(_, resource)| resource.certificates().first().map(|known| known.not_after))
    }

    /// What the store has of renewals. No daemon runs.
    pub(crate) async fn attempts(&self) -> Vec<Attempt> {
        let store = Store::open(&format!("sqlite:{}", self.path("notafter.db").display())).await.unwrap();
        let attempts = store.attempts(Utc::now()).await.unwrap();
        store.close().await;
        attempts
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The answer over the control socket; empty while there is none.
    pub(crate) async fn ask(&self, path: &str) -> String {
        match UnixStream::connect(self.path("control.sock")).await {
            Ok(stream) => exchange(stream, path).await,
            Err(_) => String::new(),
        }
    }

    /// The answer of the web port.
    pub(crate) async fn visit(&self, path: &str) -> String {
        exchange(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap(), path).await
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (began, mut last) = (Instant::now(), Value::Null);
        while began.elapsed() < Duration::from_secs(90) {
            last = serde_json::from_str(&self.ask(path).await).unwrap_or(Value::Null);
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path}: not seen in time: {last}\n{}", tail(&self.log()));
    }

    /// What is said of the one renewal, once it is in this state.
    pub(crate) async fn until_state(&self, state: &str) -> Value {
        let found = |list: &Value| {
            let items = list["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().find(|item| item["attempt"]["state"] == state)
        };
        let list = self.until("/api/v1/renewals?all=true", |list| found(list).is_some()).await;
        found(&list).expect("just seen")
    }

    /// Everything that the receiver got.
    pub(crate) fn told(&self) -> String {
        let bodies = self.reception.deliveries().into_iter();
        bodies.filter_map(|got| got.request.json()).map(|body| body.to_string()).collect()
    }

    /// Ends the daemon in an orderly way.
    pub(crate) fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        let id = rustix::process::Pid::from_child(&daemon);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        daemon.wait().unwrap();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    if stream.write_all(head.as_bytes()).await.is_err() || stream.read_to_end(&mut bytes).await.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned())
}

fn tail(log: &str) -> String {
    let lines: Vec<_> =
        log.lines().filter(|line| line.contains("renewal") || line.contains("store")).collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
