//! Receivers on loopback, a channel that posts to them, and the delivery over a store in a folder of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::Utc;
use notafter::call::BoxFuture;
use notafter::clock::Clock;
use notafter::daemon::alerts::watch::Rules;
use notafter::daemon::alerts::{Channel, Delivery, Heartbeat, Office, Parts, Words};
use notafter::domain::alert::message::{ChannelItem, ChannelNews, Item, Kind, Message};
use notafter::domain::alert::outbox::{Row, State};
use notafter::domain::alert::routing::Routing;
use notafter::domain::finding::Stage;
use notafter::domain::policy::{AlertPolicy, Locale, PollPolicy};
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::notifier::post::Post;
use notafter::notifier::{Messenger, NotifierKind, Outcome, Part, Receipt, Sender, Setting, Stamp};
use notafter::secret::Secret;
use notafter::shutdown::Stop;
use notafter::store::{self, Handle, Holder, Store};
use notafter::telemetry::Telemetry;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const SECRET: &str = "PLANTED-SECRET-4711";

pub(crate) static KIND: NotifierKind = NotifierKind {
    name: "webhook",
    settings: |_| None,
    least: Stage::Info,
    per_minute: 6000.0,
    burst: 100,
    build: None,
};

pub(crate) fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// What a receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    pub(crate) id: String,
    pub(crate) text: String,
}

/// Answers with what it is told, the last one again and again. `None`: never.
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Vec<Option<String>>>>,
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Receiver {
    pub(crate) async fn start(answers: &[Option<&str>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/{SECRET}", listener.local_addr().unwrap());
        let answers: Vec<_> = answers.iter().rev().map(|answer| answer.map(str::to_owned)).collect();
        let this = Self { url, got: Arc::default(), answers: Arc::new(Mutex::new(answers)) };
        let (got, answers) = (Arc::clone(&this.got), Arc::clone(&this.answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&got), Arc::clone(&answers)));
            }
        });
        this
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn answer_from_now_on(&self, answer: &str) {
        *self.answers.lock().unwrap() = vec![Some(answer.to_owned())];
    }
}

async fn serve(
    mut stream: TcpStream,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Vec<Option<String>>>>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        };
        let headers = String::from_utf8_lossy(&read[..head]).to_lowercase();
        let header = |name: &str| {
            let line = headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_default().trim().to_owned()
        };
        let length: usize = header("content-length").parse().unwrap_or(0);
        while read.len() < head + length {
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
        let text = String::from_utf8_lossy(&read[head..head + length]).into_owned();
        read.drain(..head + length);
        got.lock().unwrap().push(Got { at: Instant::now(), id: header("webhook-id"), text });
        let answer = {
            let mut answers = answers.lock().unwrap();
            if answers.len() > 1 { answers.pop().flatten() } else { answers.first().cloned().flatten() }
        };
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.ok()?,
            None => std::future::pending().await,
        }
    }
}

/// A channel that posts each message as it is.
#[derive(Debug)]
pub(crate) struct Hook {
    post: Post,
    url: String,
}

impl Messenger for Hook {
    fn parts(&self, message: &Message, _: &Setting<'_>) -> Vec<Part> {
        let item = message.items.first().map(|item| match item {
            Item::Channel(item) => format!("{} {:?}", item.channel, item.news),
            other => other.type_name().to_owned(),
        });
        vec![Part { content: json!({"type": message.type_name(), "item": item}), name: "1/1".into() }]
    }

    fn plain(&self, _: &Message, _: &Setting<'_>) -> Option<Part> {
        None
    }

    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", HeaderValue::from_str(stamp.id).unwrap());
            let body = Bytes::from(part.content.to_string());
            let reply = match self.post.json(&self.url, headers, body).await {
                Ok(reply) => reply,
                Err(outcome) => return outcome,
            };
            let said = || Receipt { notes: Vec::new(), said: self.post.said(&reply) };
            self.post.usual(&reply).unwrap_or_else(|| Outcome::Delivered(said()))
        })
    }

    fn robot(&self) -> u64 {
        self.url.bytes().fold(7, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte))
    }

    fn place(&self) -> &'static str {
        "http://127.0.0.1"
    }
}

pub(crate) fn channel(name: &str, receiver: &Receiver) -> Channel {
    crypto();
    let post = Post::new(None, vec![Secret::new(SECRET)]).unwrap();
    let hook: Arc<dyn Messenger> = Arc::new(Hook { post, url: receiver.url.clone() });
    Channel {
        name: name.into(),
        kind: &KIND,
        sender: Sender::Messages(hook),
        locale: Locale::En,
        template: None,
        per_minute: KIND.per_minute,
        burst: KIND.burst,
    }
}

/// News of a channel that does not exist, so that nothing overtakes it.
pub(crate) fn message(channel: &str, number: usize) -> Message {
    let news = ChannelNews::Recovered { since: Utc::now(), delayed: number };
    Message {
        id: format!("evt_{channel}_{number:03}").into(),
        channel: channel.into(),
        kind: Kind::News,
        route: "".into(),
        at: Utc::now(),
        items: vec![Item::Channel(ChannelItem { channel: "another".into(), news })],
        left_out: 0,
        overview: None,
    }
}

/// A store, and what is delivered out of it.
pub(crate) struct Rig {
    pub(crate) store: Arc<Store>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) holder: Holder,
    handle: Handle,
    channels: Vec<Channel>,
    _folder: tempfile::TempDir,
}

pub(crate) struct Running {
    pub(crate) office: Office,
    pub(crate) metrics: Arc<MetricsPage>,
    pub(crate) stop: Stop,
    pub(crate) task: JoinHandle<()>,
    _snapshots: watch::Sender<Arc<Snapshot>>,
}

impl Rig {
    pub(crate) async fn new(channels: impl IntoIterator<Item = Channel>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("n.db").display());
        let store = Arc::new(Store::open(&url).await.unwrap());
        let (holder, handle) = store::handle();
        holder.show(Some(Arc::clone(&store)));
        let channels = channels.into_iter().collect();
        Self { store, telemetry: Arc::default(), holder, handle, channels, _folder: folder }
    }

    pub(crate) async fn commit(&self, messages: impl IntoIterator<Item = Message>) {
        let messages: Vec<_> = messages.into_iter().collect();
        self.store.commit_alerts(&[], &messages, Utc::now()).await.unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(None)
    }

    pub(crate) fn start_with(&self, heartbeat: Option<Heartbeat>) -> Running {
        self.start_knowing(Snapshot::default(), heartbeat)
    }

    pub(crate) fn start_knowing(&self, snapshot: Snapshot, heartbeat: Option<Heartbeat>) -> Running {
        let snapshots = watch::Sender::new(Arc::new(snapshot));
        let telemetry = Arc::clone(&self.telemetry);
        let metrics = Arc::new(MetricsPage::new(telemetry, PollPolicy::default(), Utc::now()));
        let delivery = Delivery::new(Parts {
            channels: self.channels.clone(),
            words: Words::default(),
            rules: Rules {
                accounts: BTreeMap::new(),
                alert: AlertPolicy::default(),
                poll: PollPolicy::default(),
                routing: Routing::default(),
            },
            heartbeat,
            snapshots: snapshots.subscribe(),
            store: self.handle.clone(),
            metrics: Arc::clone(&metrics),
            telemetry: Arc::clone(&self.telemetry),
            clock: Clock::system(),
        });
        let (office, stop) = (delivery.office(), Stop::new());
        let task = tokio::spawn(delivery.run(stop.listener()));
        Running { office, metrics, stop, task, _snapshots: snapshots }
    }

    /// Messages in a state, the oldest first; without what the daemon itself had to say first.
    pub(crate) async fn messages(&self, state: State) -> Vec<Row> {
        let mut rows = self.store.messages(&[state], 1000, None).await.unwrap();
        rows.retain(|row| row.message.kind != Kind::First);
        rows.reverse();
        rows
    }

    pub(crate) async fn until(&self, state: State, count: usize) {
        let began = Instant::now();
        while self.messages(state).await.len() != count {
            let rows = self.messages(state).await;
            assert!(began.elapsed() < Duration::from_secs(20), "{} of {count} are {state:?}", rows.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn millis(count: u64) {
    tokio::time::sleep(Duration::from_millis(count)).await;
}
