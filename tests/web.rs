//! The web port over real sockets.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use chrono::{DateTime, Utc};
use flate2::read::{GzDecoder, MultiGzDecoder};
use notafter::domain::identity::Scope;
use notafter::domain::listing::{Listed, Listing};
use notafter::domain::policy::PollPolicy;
use notafter::domain::resource::{Certificate, DateSource, Facts, Reading, Subject, Tags, TlsState};
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::shutdown::Stop;
use notafter::telemetry::Telemetry;
use notafter::web::inside::Inside;
use notafter::web::server::{self, Limits};
use notafter::web::view::View;
use notafter::web::{self, AppState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// The page and the lists, with everything that is not asked about here left as it is by default.
fn view(snapshot: &watch::Receiver<Arc<Snapshot>>) -> View {
    View {
        snapshot: snapshot.clone(),
        settings: watch::channel(Arc::default()).1,
        now: Box::new(Utc::now),
        version: "test",
        started_at: DateTime::UNIX_EPOCH,
        timeline_start: DateTime::UNIX_EPOCH,
        inside: Inside::default(),
    }
}

fn metrics() -> Arc<MetricsPage> {
    Arc::new(MetricsPage::new(Arc::new(Telemetry::new()), PollPolicy::default(), DateTime::UNIX_EPOCH))
}

/// A served port.
struct Port {
    address: SocketAddr,
    snapshot: watch::Sender<Arc<Snapshot>>,
    stop: Stop,
    serving: JoinHandle<()>,
}

impl Port {
    async fn open(limits: Limits, resources: usize) -> Self {
        let (snapshot, receiver) = watch::channel(Arc::new(snapshot(resources)));
        let view = view(&receiver);
        Self::with(limits, metrics(), snapshot, view).await
    }

    async fn with(
        limits: Limits,
        metrics: Arc<MetricsPage>,
        snapshot: watch::Sender<Arc<Snapshot>>,
        view: View,
    ) -> Self {
        let state = AppState { snapshot: snapshot.subscribe(), metrics, now: Arc::new(Utc::now) };
        Self::serve(web::router(state, Arc::new(view)), limits, snapshot).await
    }

    async fn serve(app: Router, limits: Limits, snapshot: watch::Sender<Arc<Snapshot>>) -> Self {
        let listeners = server::bind(&["127.0.0.1:0".parse().expect("an address")]).await.expect("bound");
        let address = listeners[0].local_addr().expect("bound");
        let stop = Stop::new();
        let serving = tokio::spawn(server::serve(listeners, app, limits, stop.listener()));
        Self { address, snapshot, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect().await;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.expect("asked");
        Answer::read(&mut stream).await
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an answer");
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end + 2].to_vec()).expect("text").to_lowercase();
        let status = head[9..12].parse().expect("a status");
        let body = bytes.split_off(end + 4);
        let body = if head.contains("\r\ntransfer-encoding: chunked\r\n") { unchunked(&body) } else { body };
        Self { status, head, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").expect("a length");
        let length = std::str::from_utf8(&body[..end]).expect("text");
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            return out;
        }
        out.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}

fn scope() -> Arc<Scope> {
    Arc::new(Scope {
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
    })
}

fn snapshot(resources: usize) -> Snapshot {
    let mut snapshot = Snapshot::of_scopes([scope()]);
    let resources = (0..resources).map(|n| listed(&format!("r-{n:06}"))).collect();
    let listing = Listing { resources, ..Listing::default() };
    snapshot.scope_mut(&scope()).absorb_listing(listing, Duration::from_secs(1), Utc::now());
    snapshot
}

fn listed(id: &str) -> Listed {
    let certificate = Certificate {
        role: notafter::domain::identity::CertRole::Server,
        not_after: DateTime::UNIX_EPOCH,
        not_before: None,
        source: DateSource::Api,
        other_not_after: None,
        subject: Subject::default(),
    };
    let reading = Reading {
        state: TlsState::Enabled,
        certificates: vec![certificate],
        managed_by: None,
        renewal_required: None,
        at: Utc::now(),
    };
    let facts = Facts {
        name: "orders".into(),
        status: "Normal".into(),
        engine: "".into(),
        tags: Tags::default(),
        group: None,
        locked: false,
        in_use: None,
        used_by: Box::default(),
    };
    Listed { id: id.into(), facts, tags_known: true, reading: Some(reading), inspectable: true }
}

/// Reads to the end of a connection that the other side is to close; how long that took.
async fn closed_after(mut stream: TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    // A reset is a way of closing, too.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("closed in time");
    started.elapsed()
}

#[tokio::test]
async fn parts_of_the_page_are_answered_and_nonsense_is_refused() {
    let port = Port::open(Limits::default(), 300).await;
    let one = "/metrics?match=resource_id=%22r-000007%22";
    let plain = port.ask("GET", one, "").await;
    let gzip = port.ask("GET", one, "accept-encoding: gzip\r\n").await;
    let mut text = String::new();
    GzDecoder::new(&gzip.body[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!((plain.status, gzip.status), (200, 200));
    assert_eq!(plain.text(), text);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!samples.is_empty() && samples.iter().all(|line| line.contains("r-000007")), "{text}");
    assert_eq!(port.ask("HEAD", one, "").await.status, 200);
    for (query, want) in [
        ("match=redis", "unknown label"),
        ("math=x", "did you mean `match`?"),
        ("part=x", "possible: resources, scopes, daemon"),
    ] {
        let refused = port.ask("GET", &format!("/metrics?{query}"), "").await;
        assert_eq!(refused.status, 400, "{query}");
        assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{query}");
        assert!(refused.text().contains(want), "{query}: {}", refused.text());
    }
    let scopes = port.ask("GET", "/metrics?part=scopes", "").await;
    assert!(scopes.text().contains("left=\"expired\"} 300\n"), "{}", scopes.text());
}

fn without_moving_parts(page: &str) -> String {
    page.split_inclusive('\n')
        .filter(|line| !line.starts_with("process_") && !line.starts_with("notafter_tasks "))
        .collect()
}

#[tokio::test]
async fn the_page_comes_in_both_forms_and_says_the_same() {
    let port = Port::open(Limits::default(), 700).await;
    let plain = port.ask("GET", "/metrics", "").await;
    let gzip = port.ask("GET", "/metrics", "accept-encoding: gzip\r\n").await;
    for (name, answer) in [("plain", &plain), ("gzip", &gzip)] {
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"), "{name}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert!(answer.header("content-security-policy").is_some(), "{name}");
    }
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert_eq!(gzip.header("content-length"), Some(&*gzip.body.len().to_string()));
    let (mut one, mut several) = (String::new(), String::new());
    GzDecoder::new(&*gzip.body).read_to_string(&mut one).expect("gzip");
    MultiGzDecoder::new(&*gzip.body).read_to_string(&mut several).expect("gzip");
    assert_eq!(one, several);
    assert_eq!(without_moving_parts(&one), without_moving_parts(plain.text()));
    assert_eq!(plain.text().matches("\nnotafter_certificate_not_after_timestamp_seconds{").count(), 700);
}

#[tokio::test]
async fn gzip_is_only_sent_to_those_who_want_it() {
    let port = Port::open(Limits::default(), 1).await;
    for (accepted, want) in [("gzip;q=0", None), ("br", None), ("gzip, deflate", Some("gzip"))] {
        let answer = port.ask("GET", "/metrics", &format!("accept-encoding: {accepted}\r\n")).await;
        assert_eq!(answer.header("content-encoding"), want, "{accepted}");
    }
}

#[tokio::test]
async fn head_is_the_head_alone() {
    let port = Port::open(Limits::default(), 5).await;
    let full = port.ask("GET", "/metrics", "accept-encoding: gzip\r\n").await;
    let head = port.ask("HEAD", "/metrics", "accept-encoding: gzip\r\n").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), full.header("content-length"));
    for path in ["/metrics", "/-/healthy", "/-/ready"] {
        let head = port.ask("HEAD", path, "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn other_methods_and_other_paths_are_refused_as_problems() {
    let port = Port::open(Limits::default(), 1).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = port.ask(method, "/metrics", "content-length: 0\r\n").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("get,head")), "{method}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method}");
    }
    for path in ["/nothing", "/metrics/", "/-/", "/-/reload/x"] {
        let answer = port.ask("GET", path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.text().contains(path), "{path}");
    }
}

#[tokio::test]
async fn it_is_healthy_from_the_start_and_ready_once_every_scope_was_tried() {
    let port = Port::open(Limits::default(), 1).await;
    port.snapshot.send_replace(Arc::new(Snapshot::of_scopes([scope()])));
    assert_eq!(port.ask("GET", "/-/healthy", "").await.status, 200);
    assert_eq!(port.ask("GET", "/-/ready", "").await.status, 503);
    port.snapshot.send_replace(Arc::new(snapshot(0)));
    assert_eq!(port.ask("GET", "/-/ready", "").await.status, 200);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let port = Port::open(Limits::default(), 1).await;
    let mut stream = port.connect().await;
    for connection in ["keep-alive", "keep-alive", "close"] {
        let head = format!("GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("asked");
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.expect("answered");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3);
}

#[tokio::test]
async fn a_silent_client_half_a_head_and_an_idle_connection_are_closed() {
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let port = Port::open(limits, 1).await;
    let mut waiting = JoinSet::new();
    for said in ["", "G", "GET /metrics HTTP/1.1\r\nhost:", "GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = port.connect().await;
        stream.write_all(said.as_bytes()).await.expect("said");
        waiting.spawn(async move { (said, closed_after(stream).await) });
    }
    for (said, waited) in waiting.join_all().await {
        assert!(waited >= Duration::from_millis(250), "{said:?}: after {waited:?}");
        assert!(waited < Duration::from_secs(5), "{said:?}: after {waited:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let port = Port::open(Limits::default(), 1).await;
    let answer = port.ask("GET", "/metrics", &format!("x: {}\r\n", "y".repeat(20_000))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_dropped() {
    let limits = Limits { stall: Duration::from_millis(300), ..Limits::default() };
    let port = Port::open(limits, 60_000).await;
    let mut stream = port.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("asked");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut read = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut read)).await.expect("closed");
    assert!(!read.ends_with(b"0\r\n\r\n"), "{} bytes were read as if nothing had happened", read.len());
}

#[tokio::test]
async fn slow_clients_do_not_stop_a_scrape() {
    // Fewer places than slow clients: without a doorkeeper the scrape would wait for the first of them to give up.
    let port = Port::open(Limits { connections: 50, ..Limits::default() }, 700).await;
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut stream = port.connect().await;
        if n % 2 == 0 {
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.expect("said");
        }
        slow.push(stream);
    }
    for _ in 0..5 {
        let started = Instant::now();
        let answer = port.ask("GET", "/metrics", "accept-encoding: gzip\r\n").await;
        assert_eq!(answer.status, 200);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
    drop(slow);
}

#[tokio::test]
async fn readers_that_do_not_read_make_room_for_others() {
    let limits = Limits { connections: 4, stall: Duration::from_hours(1), ..Limits::default() };
    let port = Port::open(limits, 60_000).await;
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = port.connect().await;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("asked");
        slow.push(stream);
        let healthy = timeout(Duration::from_secs(30), port.ask("GET", "/-/healthy", "")).await;
        assert_eq!(healthy.expect("in time").status, 200);
    }
    let whole = port.ask("GET", "/metrics", "").await;
    assert_eq!(whole.text().matches("\nnotafter_certificate_not_after_timestamp_seconds{").count(), 60_000);
}

#[tokio::test]
async fn fifty_scrapers_at_once_cause_at_most_two_renderings() {
    let (snapshot, receiver) = watch::channel(Arc::new(snapshot(2000)));
    let (metrics, view) = (metrics(), view(&receiver));
    let port = Arc::new(Port::with(Limits::default(), Arc::clone(&metrics), snapshot, view).await);
    let mut scrapers = JoinSet::new();
    for _ in 0..50 {
        let port = Arc::clone(&port);
        scrapers.spawn(async move { port.ask("GET", "/metrics", "accept-encoding: gzip\r\n").await.status });
    }
    assert_eq!(scrapers.join_all().await, [200; 50]);
    assert!(metrics.renderings() <= 2, "{}", metrics.renderings());
}

/// A port whose pages are made once the first of these is dropped; the second counts those that were begun.
async fn port_of_slow_pages(limits: Limits) -> (mpsc::Sender<()>, Arc<AtomicUsize>, Arc<Port>) {
    let (snapshot, receiver) = watch::channel(Arc::new(snapshot(700)));
    let (open, gate) = mpsc::channel::<()>();
    let (gate, begun) = (Mutex::new(gate), Arc::new(AtomicUsize::new(0)));
    // The page asks for the time while it is being made: here it is told once the gate is open.
    let count = Arc::clone(&begun);
    let now = Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        gate.lock().expect("whole").recv().expect_err("nothing is ever sent");
        Utc::now()
    });
    let view = View { now, ..view(&receiver) };
    (open, begun, Arc::new(Port::with(limits, metrics(), snapshot, view).await))
}

/// Asks for the page from this address of the machine. What comes back first; nothing: the connection was closed.
async fn page_reader(port: SocketAddr, from: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(from.parse().expect("an address")).expect("bound");
    let mut stream = socket.connect(port).await.expect("connected");
    let mut head = [0; 4096];
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let read = stream.read(&mut head).await.unwrap_or(0);
    // stays, as a browser does
    tokio::spawn(async move { stream.read(&mut [0; 1]).await });
    String::from_utf8_lossy(&head[..read]).into_owned()
}

#[tokio::test]
async fn readers_who_wait_for_pages_leave_room_for_scrapes_and_for_others() {
    let limits = Limits { connections: 64, ..Limits::default() };
    let (open, begun, port) = port_of_slow_pages(limits).await;
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        crowd.spawn(page_reader(port.address, "127.0.0.1:0"));
    }
    let quick = async {
        // all but a few are answered at once
        let mut answers = Vec::new();
        while answers.len() < 180 {
            answers.push(crowd.join_next().await.expect("still some").expect("no panic"));
        }
        for _ in 0..5 {
            assert_eq!(port.ask("GET", "/metrics", "accept-encoding: gzip\r\n").await.status, 200);
        }
        answers
    };
    let answers = timeout(Duration::from_secs(20), quick).await.expect("scrapes go on");
    for answer in answers.iter().filter(|answer| !answer.is_empty()) {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
    }
    assert!(begun.load(Ordering::SeqCst) <= 2, "the other pages wait for their turn");
    let other = tokio::spawn(page_reader(port.address, "127.0.0.2:0"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!other.is_finished(), "whoever else comes waits for a turn");
    drop(open);
    assert!(other.await.expect("no panic").starts_with("HTTP/1.1 200 "));
    let late = crowd.join_all().await;
    assert!(late.iter().any(|answer| answer.starts_with("HTTP/1.1 200 ")), "{late:?}");
}

#[tokio::test]
async fn pages_that_take_long_hold_up_no_scrape() {
    let (open, begun, port) = port_of_slow_pages(Limits::default()).await;
    let mut pages = JoinSet::new();
    for path in ["/", "/", "/api/v1/certificates", "/api/v1/scopes", "/"] {
        let port = Arc::clone(&port);
        pages.spawn(async move { port.ask("GET", path, "").await.status });
    }
    let quick = async {
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (path, headers) in
            [("/metrics", ""), ("/metrics", "accept-encoding: gzip\r\n"), ("/-/healthy", "")]
        {
            assert_eq!(port.ask("GET", path, headers).await.status, 200, "{path}");
        }
    };
    timeout(Duration::from_secs(5), quick).await.expect("answered while pages are being made");
    assert!(begun.load(Ordering::SeqCst) <= 2, "the other pages wait for their turn");
    drop(open);
    assert_eq!(pages.join_all().await, [200; 5]);
}

/// A port with an answer that begins when it is told to; says when a request has arrived.
async fn slow_port(limits: Limits) -> (Port, watch::Receiver<bool>, Arc<tokio::sync::Notify>) {
    let (arrived, seen) = watch::channel(false);
    let begin = Arc::new(tokio::sync::Notify::new());
    let wait = Arc::clone(&begin);
    let app = Router::new().route(
        "/slow",
        get(async move || {
            arrived.send_replace(true);
            wait.notified().await;
            "at last"
        }),
    );
    let port = Port::serve(app, limits, watch::channel(Arc::default()).0).await;
    (port, seen, begin)
}

#[tokio::test]
async fn a_shutdown_lets_answers_end_and_closes_idle_connections() {
    let (port, mut arrived, begin) = slow_port(Limits::default()).await;
    let idle = port.connect().await;
    let mut busy = port.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("asked");
    arrived.wait_for(|arrived| *arrived).await.expect("arrived");

    port.stop.request();
    assert!(closed_after(idle).await < Duration::from_secs(2));
    let refused = timeout(Duration::from_secs(2), async {
        while TcpStream::connect(port.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    refused.await.expect("nobody else comes in");
    assert!(!port.serving.is_finished());

    begin.notify_one();
    let answer = Answer::read(&mut busy).await;
    assert_eq!((answer.status, answer.text()), (200, "at last"));
    timeout(Duration::from_secs(2), port.serving).await.expect("in time").expect("ended");
}

#[tokio::test]
async fn who_was_let_in_just_before_a_shutdown_is_answered() {
    let port = Port::open(Limits::default(), 1).await;
    let mut late = port.connect().await;
    // connections are accepted in turn
    let mut next = port.connect().await;
    next.write_all(b"GET /-/healthy HTTP/1.0\r\nhost: x\r\n\r\n").await.expect("asked");
    assert_eq!(Answer::read(&mut next).await.status, 200);
    port.stop.request();
    tokio::time::sleep(Duration::from_millis(20)).await;
    late.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("asked");
    assert_eq!(Answer::read(&mut late).await.status, 200);
    timeout(Duration::from_secs(2), port.serving).await.expect("in time").expect("ended");
}

#[tokio::test]
async fn a_shutdown_waits_no_longer_than_it_was_told() {
    let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
    let (port, mut arrived, _begin) = slow_port(limits).await;
    let mut busy = port.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("asked");
    arrived.wait_for(|arrived| *arrived).await.expect("arrived");
    port.stop.request();
    timeout(Duration::from_secs(2), port.serving).await.expect("in time").expect("ended");
    assert!(closed_after(busy).await < Duration::from_secs(2));
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let port = Port::open(Limits::default(), 1).await;
    let error = server::bind(&[port.address]).await.expect_err("taken");
    assert_eq!(error.to_string(), format!("cannot listen on {}", port.address));
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn it_listens_on_several_addresses_and_on_a_local_socket() {
    let listeners =
        server::bind(&["127.0.0.1:0", "127.0.0.2:0"].map(|address| address.parse().expect("an address")))
            .await;
    let listeners = listeners.expect("bound");
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().expect("bound")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("control.sock");
    let local = UnixListener::bind(&path).expect("bound");

    let stop = Stop::new();
    let app = Router::new().route("/", get(async || "here"));
    let tcp = tokio::spawn(server::serve(listeners, app.clone(), Limits::default(), stop.listener()));
    let unix = tokio::spawn(server::serve(vec![local], app, Limits::default(), stop.listener()));
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for address in addresses {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("asked");
        assert_eq!(Answer::read(&mut stream).await.text(), "here");
    }
    let mut stream = UnixStream::connect(&path).await.expect("connected");
    stream.write_all(request).await.expect("asked");
    assert_eq!(Answer::read(&mut stream).await.text(), "here");

    stop.request();
    for serving in [tcp, unix] {
        timeout(Duration::from_secs(2), serving).await.expect("in time").expect("ended");
    }
}

#[tokio::test]
async fn requests_that_are_cut_short_leave_the_port_as_it_was() {
    let port = Port::open(Limits { connections: 4, ..Limits::default() }, 2000).await;
    for n in 0..40 {
        let mut stream = port.connect().await;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n")
            .await
            .expect("asked");
        if n % 2 == 0 {
            stream.read_u8().await.expect("an answer begins");
        }
    }
    let answer = timeout(Duration::from_secs(5), port.ask("GET", "/-/healthy", "")).await.expect("in time");
    assert_eq!(answer.status, 200);
}

#[test]
fn the_unit_allows_as_many_files_as_connections_may_be_and_the_rest() {
    let unit = include_str!("../systemd/notafter.service");
    let files = unit.lines().find_map(|line| line.strip_prefix("LimitNOFILE=")).expect("a limit");
    let files: usize = files.parse().expect("a number");
    // the web port and the control socket
    assert!(files >= 2 * Limits::default().connections + 1024, "{files}");
}
