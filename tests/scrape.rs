//! A real Prometheus reads the page of a real daemon over a simulated cloud, and has nothing to complain about.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use notafter::config;
use notafter::daemon::Daemon;
use notafter::secret::Secret;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::{Account, AlibabaCloud, Engine, Fleet, Instance, Key, Region, SslModel};
use notafter::sim::demo::{Clouds, config_toml};
use notafter::tls::TlsFiles;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// A machine that does many things at once is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// Certificates with names that are awkward in labels, and instances without any.
fn fleet() -> Fleet {
    let mut fleet = Fleet::new(vec![
        Region::new("cn-hangzhou", "华东1（杭州）", "China (Hangzhou)"),
        Region::new("eu-central-1", "德国", "Germany"),
    ]);
    fleet.accounts.push(Account { uid: "1".into(), name: "prod".into(), keys: vec![Key::new("id", "s")] });
    let start = Utc::now();
    for (engine, prefix) in [(Engine::Redis, "r"), (Engine::MySql, "rm"), (Engine::MongoReplica, "dds")] {
        for n in 0..40_i64 {
            let region = if n % 3 == 0 { "eu-central-1" } else { "cn-hangzhou" };
            let ends = start + TimeDelta::days(20 * n - 60);
            let mut instance = Instance::new(engine, &format!("{prefix}-{n:03}"), "1", region, ends);
            instance.name = format!("orders \"{n}\" \\ 订单\n{{le=\"1\"}}").into();
            if n % 10 == 9 {
                instance.ssl = SslModel::Off { stale: None };
            }
            fleet.insert(instance);
        }
    }
    fleet
}

/// The daemon under way.
struct Running {
    cloud: AlibabaCloud,
    address: SocketAddr,
    _stop: Stop,
}

impl Running {
    /// Begins, and waits until everything was read.
    async fn begin(tls: Option<TlsFiles>, users: &[(&str, &str)]) -> Self {
        let cloud = AlibabaCloud::start(fleet(), Utc::now).await.expect("a simulated cloud");
        let clouds: Clouds = vec![Box::new(cloud.clone())];
        let text = config_toml(&clouds, "127.0.0.1:9809", None);
        let mut config = config::parse(&text, "test").expect("a configuration");
        // Any free port, which a configuration cannot ask for: a port is part of a target's name.
        config.web.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config.web.tls = tls;
        config.web.users =
            users.iter().map(|(name, hash)| ((*name).to_owned(), Secret::new(*hash))).collect();
        let daemon = Daemon::prepare(config, &|_| None).await.expect("a daemon");
        let (address, mut snapshots, stop) = (daemon.addresses()[0], daemon.snapshots(), Stop::new());
        tokio::spawn(daemon.run(stop.listener()));
        let wanted = cloud.expected().len();
        let all_read = snapshots.wait_for(|snapshot| {
            snapshot.resources().filter(|(_, resource)| resource.reading.is_some()).count() == wanted
        });
        timeout(PATIENCE, all_read).await.expect("read in time").expect("the daemon lives");
        Self { cloud, address, _stop: stop }
    }

    /// The end of every certificate that the cloud has, by resource.
    fn ends(&self) -> BTreeMap<String, i64> {
        let truths = self.cloud.expected().into_iter();
        truths
            .filter_map(|expected| Some((expected.id.to_string(), expected.truth.expires?.timestamp())))
            .collect()
    }
}

/// Stands before the daemon and keeps the heads of its answers, as they are on the wire.
async fn listen_in(on: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((asking, _)) = listener.accept().await {
            let answering = TcpStream::connect(on).await.expect("the daemon lives");
            tokio::spawn(pass_on(asking, answering, Arc::clone(&kept)));
        }
    });
    (address, heads)
}

async fn pass_on(asking: TcpStream, answering: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    let (mut questions, mut reader) = asking.into_split();
    let (mut answers, mut daemon) = answering.into_split();
    let asked = tokio::spawn(async move { copy(&mut questions, &mut daemon).await });
    let mut block = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = answers.read(&mut block).await {
        if block.starts_with(b"HTTP/1.1 ") {
            let head = String::from_utf8_lossy(&block[..read]).into_owned();
            let head = head.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
            heads.lock().expect("whole").push(head);
        }
        if reader.write_all(&block[..read]).await.is_err() {
            break;
        }
    }
    asked.abort();
}

/// A Prometheus of our own; ends with this value.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it was killed");
    }
}

impl Prometheus {
    /// `how`: further keys of the scrape configuration.
    fn begin(scraped: SocketAddr, how: &str) -> Self {
        Self::begin_with(scraped, how, "")
    }

    /// `jobs`: further ones.
    fn begin_with(scraped: SocketAddr, how: &str, jobs: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global: {{scrape_interval: 5s, scrape_timeout: 5s}}\n\
             scrape_configs: [{{job_name: notafter, {how}static_configs: [{{targets: ['{scraped}']}}]}}{jobs}]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
        // Port 0 is not understood, so a free one is looked for.
        let free = StdListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // What goes wrong with a scrape is told at this level.
            .args(["--log.level=debug", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("prometheus on the PATH (Debian package `prometheus`)");
        Self { process, address, folder }
    }

    /// The samples that an expression has now; none while Prometheus is not there yet.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let path = format!(
            "/api/v1/query?query={}",
            percent_encoding::utf8_percent_encode(expression, percent_encoding::NON_ALPHANUMERIC)
        );
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return Vec::new() };
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// Waits for the first scrape that went well.
    async fn until_up(&self) {
        let up = async {
            while self.number("up").await != Some(1.0) {
                sleep(Duration::from_millis(200)).await;
            }
        };
        let scraped = timeout(PATIENCE, up).await.is_ok();
        assert!(scraped, "the page was not scraped; Prometheus says:\n{}", self.log());
    }

    async fn number(&self, expression: &str) -> Option<f64> {
        self.query(expression).await.first().map(value)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("readable")
    }

    /// What it complained about, and what it says of scrapes and samples that went wrong.
    fn complaints(&self) -> Vec<String> {
        let lines = self.log();
        let bad = |line: &&str| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let level = event["level"].as_str().unwrap_or("none").to_lowercase();
            !["debug", "info"].contains(&&*level)
                || ["Scrape failed", "Append failed"].iter().any(|words| line.contains(words))
        };
        lines.lines().filter(bad).map(str::to_owned).collect()
    }
}

fn value(sample: &Value) -> f64 {
    sample["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number")
}

#[tokio::test]
async fn prometheus_reads_every_certificate_and_complains_of_nothing() {
    let daemon = Running::begin(None, &[]).await;
    let (scraped, heads) = listen_in(daemon.address).await;
    let prometheus = Prometheus::begin(scraped, "");
    prometheus.until_up().await;

    let ends = daemon.ends();
    assert_eq!(ends.len(), 3 * 36);
    let count = prometheus.number("count(notafter_certificate_not_after_timestamp_seconds)").await;
    assert_eq!(count, Some(108.0));
    let samples = prometheus.query("notafter_certificate_not_after_timestamp_seconds").await;
    #[allow(clippy::cast_possible_truncation)] // whole seconds
    let seen: BTreeMap<String, i64> = samples
        .iter()
        .map(|sample| {
            (sample["metric"]["resource_id"].as_str().expect("a label").to_owned(), value(sample) as i64)
        })
        .collect();
    assert_eq!(seen, ends);

    for (name, expression) in [
        (
            "names come through",
            r#"notafter_certificate_info{resource_name="orders \"0\" \\ 订单\n{le=\"1\"}"}"#,
        ),
        ("counters count", r#"notafter_scope_rounds_total{cloud_service="redis"} > 0"#),
        ("every reason is there", r#"notafter_api_request_errors_total{reason="too_large"} == 0"#),
        (
            "durations can be summed up",
            "histogram_quantile(0.5, notafter_api_request_duration_seconds_bucket) > 0",
        ),
        ("the process is there", "process_resident_memory_bytes > 0"),
    ] {
        assert!(!prometheus.query(expression).await.is_empty(), "{name}: {expression}");
    }

    let heads = heads.lock().expect("whole").clone();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with("http/1.1 200 ") && head.contains("\r\ncontent-encoding: gzip"), "{head}");
    }
    assert_eq!(prometheus.complaints(), [] as [&str; 0]);
}

#[tokio::test]
async fn jobs_that_ask_for_parts_have_every_series_together_and_none_twice() {
    let daemon = Running::begin(None, &[]).await;
    let target = format!("static_configs: [{{targets: ['{}']}}]", daemon.address);
    let further = ["cloud_service=\"redis\"", "cloud_service!=\"redis\""].into_iter().enumerate();
    let further = further.map(|(n, expression)| {
        format!(
            "{{job_name: certificates-{n}, params: {{part: [resources], match: ['{expression}']}}, {target}}}"
        )
    });
    let jobs = further.collect::<Vec<_>>().join(", ");
    let prometheus =
        Prometheus::begin_with(daemon.address, "params: {part: [scopes, daemon]}, ", &format!(", {jobs}"));
    let up = async {
        while prometheus.number("sum(up)").await != Some(3.0) {
            sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(timeout(PATIENCE, up).await.is_ok(), "Prometheus says:\n{}", prometheus.log());
    let of = "notafter_certificate_not_after_timestamp_seconds";
    let redis = "{job=\"certificates-0\"}";
    for (name, expression, want) in [
        ("certificates", format!("count({of})"), 108.0),
        ("none is read by two jobs", format!("max(count without (job) ({of}))"), 1.0),
        ("of one service by one job", format!("count({of}{redis})"), 36.0),
        ("it has nothing else", format!("count(count by (cloud_service) ({of}{redis}))"), 1.0),
        ("scopes are read once", "max(count without (job) (notafter_scope_up))".to_owned(), 1.0),
        ("the daemon is read once", "count(notafter_build_info)".to_owned(), 1.0),
        ("what adds up", "sum(notafter_scope_certificates)".to_owned(), 108.0),
        (
            "it is the same",
            format!("min(notafter_scope_earliest_not_after_timestamp_seconds) - min({of})"),
            0.0,
        ),
    ] {
        assert_eq!(prometheus.number(&expression).await, Some(want), "{name}: {expression}");
    }
    assert_eq!(prometheus.complaints(), [] as [&str; 0]);
}

#[tokio::test]
async fn prometheus_reads_it_over_tls_with_a_name_and_a_password() {
    // `wonderland`; made with libxcrypt.
    const ALICE: (&str, &str) = ("alice", "$2y$10$7a3HDiVqxrYZYJTBRAXZ3uXGTMxb6.cpIzd8OJ1z4lVVw9tAoLyhO");
    let folder = tempfile::tempdir().expect("a folder");
    let files = TlsFiles {
        cert_file: folder.path().join("cert.pem"),
        key_file: folder.path().join("key.pem"),
        client_ca_file: None,
    };
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    std::fs::write(&files.cert_file, params.self_signed(&key).expect("signed").pem()).expect("written");
    std::fs::write(&files.key_file, key.serialize_pem()).expect("written");
    let how = format!(
        "scheme: https, tls_config: {{ca_file: {}}}, basic_auth: {{username: alice, password: wonderland}}, ",
        files.cert_file.display()
    );
    let daemon = Running::begin(Some(files), &[ALICE]).await;
    let prometheus = Prometheus::begin(daemon.address, &how);
    prometheus.until_up().await;
    let count = prometheus.number("count(notafter_certificate_not_after_timestamp_seconds)").await;
    assert_eq!(count, Some(108.0));
    assert_eq!(prometheus.complaints(), [] as [&str; 0]);
}
