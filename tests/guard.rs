//! The guarded web port over real sockets: TLS, users, and clients that take their time.

#[path = "common/changing.rs"]
mod changing;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use notafter::domain::identity::Scope;
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::Snapshot;
use notafter::metrics::MetricsPage;
use notafter::secret::Secret;
use notafter::shutdown::Stop;
use notafter::telemetry::Telemetry;
use notafter::tls::{Tls, TlsFiles};
use notafter::web::guard::Guard;
use notafter::web::inside::Inside;
use notafter::web::server::{self, Limits};
use notafter::web::users::Users;
use notafter::web::view::View;
use notafter::web::{self, AppState};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

/// A machine that does many things at once is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// An authority, and what it issues.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// PEM of a certificate and of its key.
type Pair = (String, String);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed");
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }

    /// A client that trusts it.
    fn client(
        &self,
        own: Option<&Pair>,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&str],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("known");
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain =
                    CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<_, _>>().expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    fn any_client(&self) -> TlsConnector {
        self.client(None, rustls::ALL_VERSIONS, &[])
    }
}

fn write(folder: &Path, (cert, key): &Pair) {
    fs::write(folder.join("cert.pem"), cert).expect("written");
    fs::write(folder.join("key.pem"), key).expect("written");
}

fn files(pair: &Pair, clients: Option<&Authority>) -> (TempDir, TlsFiles) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    write(folder.path(), pair);
    let client_ca_file = clients.map(|authority| {
        fs::write(at("clients.pem"), authority.certificate.pem()).expect("written");
        at("clients.pem")
    });
    let files = TlsFiles { cert_file: at("cert.pem"), key_file: at("key.pem"), client_ca_file };
    (folder, files)
}

fn tls(authority: &Authority, clients: Option<&Authority>) -> (TempDir, Arc<Tls>) {
    let (folder, files) = files(&authority.issue("localhost"), clients);
    (folder, Arc::new(Tls::open(files).expect("usable")))
}

/// `wonderland`; made with libxcrypt.
const ALICE: &str = "$2y$04$7a3HDiVqxrYZYJTBRAXZ3un8ti0mctBseTHLt2VcafENFFc3eG3Di";

fn users() -> Arc<Users> {
    Arc::new(Users::new([("alice", &Secret::new(ALICE))]))
}

fn basic(login: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(login))
}

/// A served port.
struct Port {
    address: SocketAddr,
    stop: Stop,
    serving: JoinHandle<()>,
    _snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Port {
    async fn open(guard: Guard, limits: Limits) -> Self {
        let scope = Arc::new(Scope {
            provider: "alibaba".into(),
            account: "prod".into(),
            project: "".into(),
            region: "cn-hangzhou".into(),
            service: "redis".into(),
        });
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::of_scopes([scope])));
        let metrics =
            MetricsPage::new(Arc::new(Telemetry::new()), PollPolicy::default(), DateTime::UNIX_EPOCH);
        let state =
            AppState { snapshot: snapshot.clone(), metrics: Arc::new(metrics), now: Arc::new(Utc::now) };
        let view = View {
            snapshot,
            settings: watch::channel(Arc::default()).1,
            now: Box::new(Utc::now),
            version: "test",
            started_at: DateTime::UNIX_EPOCH,
            timeline_start: DateTime::UNIX_EPOCH,
            inside: Inside::default(),
        };
        let listeners = server::bind(&["127.0.0.1:0".parse().expect("an address")]).await.expect("bound");
        let (address, stop) = (listeners[0].local_addr().expect("bound"), Stop::new());
        let app = web::router(state, Arc::new(view));
        let serving = tokio::spawn(server::serve_guarded(listeners, app, guard, limits, stop.listener()));
        Self { address, stop, serving, _snapshot: snapshots }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        answer_of(self.connect().await, method, path, headers).await.expect("an answer")
    }

    async fn ask_over(&self, client: &TlsConnector, path: &str, headers: &str) -> Option<Answer> {
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = client.connect(name, self.connect().await).await.ok()?;
        answer_of(stream, "GET", path, headers).await
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// `None`: the connection ended instead.
async fn answer_of(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    method: &str,
    path: &str,
    headers: &str,
) -> Option<Answer> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    read_answer(&mut stream).await
}

async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Answer> {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("in time").ok()?;
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().expect("a status");
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// Reads to the end of a connection that the other side is to close; how long that took.
async fn closed_after(mut stream: TcpStream) -> Duration {
    let (started, mut rest) = (Instant::now(), Vec::new());
    // A reset is a way of closing, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time");
    started.elapsed()
}

#[tokio::test]
async fn clients_of_both_versions_are_answered_and_others_are_not() {
    let authority = Authority::new();
    let (_keep, tls) = tls(&authority, None);
    let port = Port::open(Guard { tls: Some(tls), ..Guard::default() }, Limits::default()).await;
    let (new, old) = (&rustls::version::TLS13, &rustls::version::TLS12);
    for (name, client, answered) in [
        ("TLS 1.3", authority.client(None, &[new], &[]), true),
        ("TLS 1.2", authority.client(None, &[old], &[]), true),
        ("a browser", authority.client(None, rustls::ALL_VERSIONS, &["h2", "http/1.1"]), true),
        ("HTTP/2 alone", authority.client(None, rustls::ALL_VERSIONS, &["h2"]), false),
        ("who trusts somebody else", Authority::new().any_client(), false),
    ] {
        let answer = port.ask_over(&client, "/metrics", "").await;
        assert_eq!(answer.map(|answer| answer.status), answered.then_some(200), "{name}");
    }
    let plain = answer_of(port.connect().await, "GET", "/metrics", "").await;
    assert!(plain.is_none(), "plain HTTP: {plain:?}");
}

#[tokio::test]
async fn where_clients_have_to_show_a_certificate_nobody_else_is_answered() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let (_keep, tls) = tls(&authority, Some(&clients));
    let port = Port::open(Guard { tls: Some(tls), ..Guard::default() }, Limits::default()).await;
    for (name, own, answered) in [
        ("one of theirs", Some(clients.issue("scraper")), true),
        ("none", None, false),
        ("one of others", Some(others.issue("scraper")), false),
        ("one of our own authority", Some(authority.issue("scraper")), false),
    ] {
        for version in rustls::ALL_VERSIONS {
            let client = authority.client(own.as_ref(), &[version], &[]);
            let answer = port.ask_over(&client, "/-/healthy", "").await;
            assert_eq!(answer.map(|answer| answer.status), answered.then_some(200), "{name}, {version:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_shown_to_the_next_who_connects() {
    let (first, second) = (Authority::new(), Authority::new());
    let (folder, tls) = tls(&first, None);
    let guard = Guard { tls: Some(Arc::clone(&tls)), ..Guard::default() };
    let port = Port::open(guard, Limits::default()).await;
    let following = tokio::spawn(tls.follow(Duration::from_millis(50), port.stop.listener()));
    assert!(port.ask_over(&first.any_client(), "/-/healthy", "").await.is_some());
    write(folder.path(), &second.issue("localhost"));
    let replaced = async {
        while port.ask_over(&second.any_client(), "/-/healthy", "").await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, replaced).await.expect("replaced");
    assert!(port.ask_over(&first.any_client(), "/-/healthy", "").await.is_none());
    port.stop.request();
    following.await.expect("ended");
}

#[tokio::test]
async fn a_handshake_that_takes_its_time_is_given_up_and_holds_up_nobody() {
    let authority = Authority::new();
    let (_keep, tls) = tls(&authority, None);
    let limits = Limits { head: Duration::from_millis(500), ..Limits::default() };
    let port = Port::open(Guard { tls: Some(tls), ..Guard::default() }, limits).await;
    let silent = port.connect().await;
    let mut half = port.connect().await;
    half.write_all(&[0x16, 0x03, 0x01]).await.expect("said");
    let (silent, half) = (tokio::spawn(closed_after(silent)), tokio::spawn(closed_after(half)));
    assert!(port.ask_over(&authority.any_client(), "/metrics", "").await.is_some());
    assert!(!silent.is_finished() && !half.is_finished(), "they are still waited for");
    for waited in [silent.await.expect("ended"), half.await.expect("ended")] {
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    }
    let silent = port.connect().await;
    port.stop.request();
    timeout(Duration::from_secs(2), port.serving).await.expect("not waited for at the end").expect("ended");
    drop(silent);
}

#[tokio::test]
async fn with_users_everything_asks_but_what_tells_of_the_process() {
    let port = Port::open(Guard { users: users(), ..Guard::default() }, Limits::default()).await;
    let (right, wrong) = (basic("alice:wonderland"), basic("alice:wonderlanD"));
    for path in ["/", "/metrics", "/api/v1/certificates", "/assets/style.css", "/nothing", "/-/reload"] {
        for said in ["", &wrong] {
            let answer = port.ask("GET", path, said).await;
            assert_eq!(answer.status, 401, "{path}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("basic realm=\"notafter\", charset=\"utf-8\""),
                "{path}"
            );
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert!(answer.header("content-security-policy").is_some(), "{path}");
        }
        if path == "/assets/style.css" {
            // ten wrong ones are all that one peer has
            break;
        }
    }
    for path in ["/", "/metrics", "/api/v1/certificates", "/assets/style.css"] {
        assert_eq!(port.ask("GET", path, &right).await.status, 200, "{path}");
    }
    for said in ["", &wrong, &right] {
        assert_eq!(port.ask("GET", "/-/healthy", said).await.status, 200);
        assert_eq!(port.ask("GET", "/-/ready", said).await.status, 503, "no scope was tried");
    }
}

#[tokio::test]
async fn who_guesses_is_sent_away_for_a_while_and_the_known_are_not() {
    let port = Port::open(Guard { users: users(), ..Guard::default() }, Limits::default()).await;
    let (right, wrong) = (basic("alice:wonderland"), basic("alice:x"));
    assert_eq!(port.ask("GET", "/metrics", &right).await.status, 200);
    let mut answers = Vec::new();
    for _ in 0..15 {
        answers.push(port.ask("GET", "/metrics", &wrong).await);
    }
    let last = answers.last().expect("fifteen");
    assert_eq!((answers[0].status, last.status), (401, 429));
    let wait: u64 = last.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=6).contains(&wait), "{wait}");
    assert_eq!(port.ask("GET", "/metrics", &right).await.status, 200);
}

#[tokio::test]
async fn only_users_change_something_and_only_from_our_own_pages() {
    let (open, asks) = (Guard::default(), Guard { users: users(), ..Guard::default() });
    let (open, asks) = (Port::open(open, Limits::default()).await, Port::open(asks, Limits::default()).await);
    let right = basic("alice:wonderland");
    for (method, path) in &changing::routes() {
        let said = |headers: &str| format!("{right}{headers}content-length: 0\r\n");
        let refused = open.ask(method, path, &said("")).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains("no users are configured under [web]"), "{path}: {}", refused.body);
        // let through, and then there is nothing to change, or nothing is said about what
        for own in ["", "origin: http://localhost\r\n"] {
            let status = asks.ask(method, path, &said(own)).await.status;
            assert!([400, 404, 409].contains(&status), "{method} {path} {own}: {status}");
        }
        for foreign in
            ["origin: https://evil.example\r\n", "origin: null\r\n", "sec-fetch-site: cross-site\r\n"]
        {
            let refused = asks.ask(method, path, &said(foreign)).await;
            assert_eq!(refused.status, 403, "{path} {foreign}");
            assert!(refused.body.contains("another site"), "{path}: {}", refused.body);
        }
        assert_eq!(asks.ask(method, path, "content-length: 0\r\n").await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_and_browsers_are_told_of_tls_where_there_is_nothing_else() {
    let authority = Authority::new();
    let (_keep, tls) = tls(&authority, None);
    let guard = Guard { tls: Some(tls), users: users(), only_tls: true };
    let guarded = Port::open(guard, Limits::default()).await;
    let plain = Port::open(Guard::default(), Limits::default()).await;
    let right = basic("alice:wonderland");
    for path in
        ["/", "/metrics", "/api/v1/scopes", "/-/healthy", "/-/ready", "/nothing", "/api/v1/scopes?x=1"]
    {
        let inside = guarded.ask_over(&authority.any_client(), path, &right).await.expect("answered");
        let outside = guarded.ask_over(&authority.any_client(), path, "").await.expect("answered");
        for answer in [&inside, &outside] {
            assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
        }
        let plain = plain.ask("GET", path, "").await;
        assert_eq!(plain.header("strict-transport-security"), None, "{path}");
        for answer in [&inside, &outside, &plain] {
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(
                policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{path}"
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert!(
                ["no-referrer", "same-origin"].contains(&answer.header("referrer-policy").expect(path)),
                "{path}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = Limits { body: Duration::from_millis(300), ..Limits::default() };
    let port = Port::open(Guard { users: users(), ..Guard::default() }, limits).await;
    let (started, right) = (Instant::now(), basic("alice:wonderland"));
    let mut stream = port.connect().await;
    let head = format!(
        "POST /api/v1/silences HTTP/1.1\r\nhost: localhost\r\n{right}content-length: 50\r\n\r\n{{\"ma"
    );
    stream.write_all(head.as_bytes()).await.expect("said");
    assert_eq!(read_answer(&mut stream).await.map(|answer| answer.status), Some(408));
    assert!(started.elapsed() >= Duration::from_millis(250));
    let long = format!("{right}content-length: 70000\r\n");
    let mut stream = port.connect().await;
    let head =
        format!("POST /api/v1/silences HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{long}\r\n");
    stream.write_all(head.as_bytes()).await.expect("said");
    stream.write_all(&vec![b' '; 70_000]).await.expect("said");
    assert_eq!(read_answer(&mut stream).await.map(|answer| answer.status), Some(413));
}

/// So many files may this process still open, if the test leaves some to others.
fn files_left() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("there");
    let most = line.split_whitespace().nth(3).expect("a number");
    most.parse().map_or(usize::MAX, |most: usize| most.saturating_sub(300))
}

#[derive(Debug, Clone, Copy)]
enum Slow {
    /// Connects and says nothing.
    Silent,
    /// A line of its head, then a byte now and then.
    Head,
    /// A whole head that promises a body.
    Body,
    /// Asks once, and stays.
    Idle,
}

impl Slow {
    const ALL: [Self; 4] = [Self::Silent, Self::Head, Self::Body, Self::Idle];

    fn words(self) -> &'static str {
        match self {
            Self::Silent => "",
            Self::Head => "GET /metrics HTTP/1.1\r\nx: ",
            Self::Body => "POST /api/v1/silences HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n",
            Self::Idle => "GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n",
        }
    }
}

#[tokio::test]
async fn a_thousand_slow_clients_of_every_kind_do_not_stop_a_scrape() {
    // Far fewer places than clients, and all the time in the world: what is not let go for others is taken for good.
    let forever = Duration::from_hours(1);
    let limits = Limits { connections: 64, head: forever, body: forever, ..Limits::default() };
    let port = Port::open(Guard::default(), limits.clone()).await;
    let authority = Authority::new();
    let (_keep, tls) = tls(&authority, None);
    let secure = Port::open(Guard { tls: Some(tls), users: users(), only_tls: false }, limits).await;
    let (client, right) = (authority.any_client(), basic("alice:wonderland"));
    let mut slow = Vec::new();
    for number in 0..files_left().min(1_000) {
        let kind = Slow::ALL[number / 100 % Slow::ALL.len()];
        let mut stream = if number % 5 == 0 { secure.connect().await } else { port.connect().await };
        stream.write_all(kind.words().as_bytes()).await.expect("said");
        slow.push(stream);
        if number % 100 == 99 {
            let plain = timeout(PATIENCE, port.ask("GET", "/metrics", "")).await.expect("in time");
            assert_eq!(plain.status, 200, "after {number}, the last of them {kind:?}");
            let secure =
                timeout(PATIENCE, secure.ask_over(&client, "/metrics", &right)).await.expect("in time");
            assert_eq!(
                secure.map(|answer| answer.status),
                Some(200),
                "after {number}, the last of them {kind:?}"
            );
            for stream in slow.iter_mut().step_by(7) {
                // Those who had to leave cannot say anything any more.
                let _ = stream.write_all(b"y").await;
            }
        }
    }
}
