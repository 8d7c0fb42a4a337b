//! The real program over simulated clouds, a receiver of messages, and the control socket.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener as StdListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use notafter::domain::alert::message::{ChannelItem, ChannelNews, Item, Kind, Message};
use notafter::domain::alert::outbox::Settled;
use notafter::sim::demo::{self, Clouds};
use notafter::store::Store;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Stands in the settings of channels, and must stand nowhere else.
pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";

/// Takes messages, or refuses them.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) port: u16,
    fails: Arc<AtomicBool>,
    pub(crate) count: Arc<AtomicUsize>,
    pub(crate) bodies: Arc<Mutex<String>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self { port, fails: Arc::default(), count: Arc::default(), bodies: Arc::default() };
        let this = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().answer(stream));
            }
        });
        receiver
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    async fn answer(self, mut stream: TcpStream) {
        let (mut got, mut part) = (Vec::new(), [0; 8192]);
        while !is_whole(&got) {
            match stream.read(&mut part).await {
                Ok(read @ 1..) => got.extend(&part[..read]),
                _ => return,
            }
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        self.bodies.lock().unwrap().push_str(&String::from_utf8_lossy(&got));
        let (status, text) = if self.fails.load(Ordering::SeqCst) {
            ("403 Forbidden", format!("no entry for {SECRET}"))
        } else {
            ("200 OK", "taken".to_owned())
        };
        let length = text.len();
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

fn is_whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

/// A house for daemons: clouds, a folder and a configuration.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) receiver: Receiver,
    pub(crate) port: u16,
    _clouds: Clouds,
}

impl House {
    pub(crate) async fn new() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let clouds = demo::start(30, 7, Utc::now()).await.unwrap();
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = demo::config_toml(&clouds, &format!("127.0.0.1:{port}"), None)
            + &format!("control_socket = '{}'\n", folder.path().join("control.sock").display())
            + &format!("[store]\nurl = 'sqlite:{}'\n", folder.path().join("notafter.db").display())
            + &format!(
                "[[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://127.0.0.1:{}/{SECRET}'\nheaders = {{ x-token = '{SECRET}' }}\n",
                receiver.port
            );
        let config = folder.path().join("config.toml");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(config).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Self { folder, receiver, port, _clouds: clouds }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// A message that was given up before the daemon started.
    pub(crate) async fn dead_letter(&self, id: &str) {
        let url = format!("sqlite:{}", self.folder.path().join("notafter.db").display());
        let store = Store::open(&url).await.unwrap();
        let news = ChannelNews::Recovered { since: Utc::now(), delayed: 1 };
        let message = Message {
            id: id.into(),
            channel: "hook".into(),
            kind: Kind::News,
            route: "".into(),
            at: Utc::now(),
            items: vec![Item::Channel(ChannelItem { channel: "another".into(), news })],
            left_out: 0,
            overview: None,
        };
        store.commit_alerts(&[], &[message], Utc::now()).await.unwrap();
        store
            .settle(id, &Settled::Dead { error: "HTTP 500: no".into(), unanswered: false }, Utc::now())
            .await
            .unwrap();
        store.close().await;
    }

    pub(crate) fn run(&self) -> Daemon {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon(child)
    }

    pub(crate) async fn start(&self) -> Daemon {
        let mut daemon = self.run();
        for _ in 0..600 {
            if UnixStream::connect(self.socket()).await.is_ok() {
                return daemon;
            }
            assert!(daemon.0.try_wait().unwrap().is_none(), "it ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no socket within a minute:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Runs a command to its end, with the configuration.
    pub(crate) async fn says(&self, words: &[&str]) -> Said {
        let mut command = self.command(words);
        said(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(words).arg("--config").arg(self.config()).current_dir(self.folder.path());
        command.env("USER", "alice").stdin(Stdio::null());
        command
    }

    /// The answer over the control socket.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        let (status, text) = exchange(stream, method, path, "", body).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The answer of the web port.
    pub(crate) async fn ask_port(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        exchange(stream, method, path, headers, "").await
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.ask("GET", path, "").await.1;
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not seen within a minute: {path}: {last}\n{}", self.log());
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// A running daemon; killed when it goes out of scope.
pub(crate) struct Daemon(pub(crate) Child);

impl Daemon {
    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// The document that describes the API.
pub(crate) fn openapi() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/openapi.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// That a value has exactly the members that are described, and so have those in it.
pub(crate) fn is_described(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        let schema = &document["components"]["schemas"][name];
        let members = value.as_object().unwrap_or_else(|| panic!("{place}: {value}"));
        let described = schema["properties"].as_object().unwrap();
        let (mut is, mut should): (Vec<_>, Vec<_>) = (members.keys().collect(), described.keys().collect());
        is.sort();
        should.sort();
        assert_eq!(is, should, "{place}");
        for (member, value) in members {
            is_described(document, &described[member], value, &format!("{place}.{member}"));
        }
    } else if let Some(items) = schema.get("items") {
        for item in value.as_array().unwrap() {
            is_described(document, items, item, &format!("{place}[]"));
        }
    } else if let Some(choice) = schema.get("oneOf") {
        if !value.is_null() {
            is_described(document, &choice[0], value, place);
        }
    } else if let Some(words) = schema.get("enum") {
        assert!(words.as_array().unwrap().contains(value), "{place}: {value} is not described");
    }
}
