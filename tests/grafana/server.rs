//! A real Prometheus with the shipped rules, which scrapes a daemon over the clouds of the demonstration.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use notafter::config;
use notafter::daemon::Daemon;
use notafter::shutdown::Stop;
use notafter::sim::demo::{self, Clouds};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::model::file;

/// A machine that does many things at once is slow.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The demonstration under way.
pub(crate) struct Demo {
    address: SocketAddr,
    _clouds: Clouds,
    _stop: Stop,
}

impl Demo {
    /// Begins with the clouds and the pace of `notafter demo`.
    pub(crate) async fn begin() -> Self {
        let clouds = demo::start(200, 7, Utc::now()).await.expect("simulated clouds");
        let mut config = config::parse(&demo::config_toml(&clouds, "127.0.0.1:9809", None), "demo")
            .expect("a configuration");
        config.web.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        let daemon = Daemon::prepare(config, &|_| None).await.expect("a daemon");
        let (address, stop) = (daemon.addresses()[0], Stop::new());
        tokio::spawn(daemon.run(stop.listener()));
        Self { address, _clouds: clouds, _stop: stop }
    }

    /// What it answers on a path.
    pub(crate) async fn page(&self, path: &str) -> String {
        ask(self.address, path).await.expect("the daemon lives")
    }
}

/// A Prometheus of our own; ends with this value.
pub(crate) struct Prometheus {
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
    /// Begins, and waits until it has scraped and evaluated for a while.
    pub(crate) async fn over(demo: &Demo) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: notafter, static_configs: [{{targets: ['{}']}}]}}]\n",
            file("grafana/rules.yml").display(),
            demo.address,
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
        // Port 0 is not understood, so a free one is looked for.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("prometheus on the PATH (Debian package `prometheus`)");
        let prometheus = Self { process, address, folder };
        timeout(PATIENCE, prometheus.settled()).await.unwrap_or_else(|_| panic!("{}", prometheus.log()));
        prometheus
    }

    /// All that the demonstration has was read, scraped several times and recorded.
    async fn settled(&self) {
        for expression in [
            "sum_over_time(up[1m]) >= 10",
            "count(notafter_scope_up) > 80",
            "count(certificate:notafter_certificate_not_after_timestamp_seconds:last10m) > 150",
            "sum(increase(notafter_scope_rounds_total[30s])) > 0",
        ] {
            while self.query(expression, "now").await.is_ok_and(|found| found.is_empty()) {
                sleep(Duration::from_millis(300)).await;
            }
        }
    }

    /// What an expression gives now, or over the last ten seconds.
    pub(crate) async fn query(&self, expression: &str, when: &str) -> Result<Vec<Value>, String> {
        let expression =
            percent_encoding::utf8_percent_encode(expression, percent_encoding::NON_ALPHANUMERIC);
        let now = Utc::now().timestamp();
        let path = match when {
            "now" => format!("/api/v1/query?query={expression}"),
            _ => format!("/api/v1/query_range?query={expression}&start={}&end={now}&step=1", now - 10),
        };
        let Some(body) = ask(self.address, &path).await else { return Ok(Vec::new()) };
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        if answer["status"] == "error" {
            return Err(answer["error"].to_string());
        }
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// Every rule with what became of it.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let body = ask(self.address, "/api/v1/rules").await.expect("it lives");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"]["groups"][0]["rules"].as_array().cloned().expect("rules")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("readable")
    }
}

/// The body of an answer; `None` while nobody listens.
async fn ask(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
