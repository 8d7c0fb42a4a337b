//! A real Alertmanager takes what we post, shows it, and forgets what ended.

use std::fs::File;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::message::{By, CertificateFacts, Item};
use notafter::domain::alert::standing::{Ended, How, Open, State};
use notafter::domain::finding::Stage;
use notafter::domain::policy::Locale;
use notafter::fields::{Fields, Sink};
use notafter::notifier::{self, Order, Outcome, Receipt, Sender, Setting, samples};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use toml::de::DeTable;

/// A machine that does many things at once is slow.
const PATIENCE: Duration = Duration::from_mins(1);

const RESEND: Duration = Duration::from_mins(1);

/// An Alertmanager of our own; ends with this value.
struct Alertmanager {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it was killed");
    }
}

impl Alertmanager {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
        std::fs::write(folder.path().join("alertmanager.yml"), config).expect("written");
        // Port 0 is not understood, so a free one is looked for.
        let free = StdListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let process = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", folder.path().join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // No cluster.
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a file"))
            .spawn()
            .expect("prometheus-alertmanager on the PATH (Debian package `prometheus-alertmanager`)");
        let this = Self { process, address, folder };
        let up = async {
            while this.asked("/-/ready").await.is_none() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let log = || std::fs::read_to_string(this.folder.path().join("log")).expect("readable");
        assert!(timeout(PATIENCE, up).await.is_ok(), "it does not start:\n{}", log());
        this
    }

    /// The body of the answer, if it is a good one.
    async fn asked(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    /// The alerts about a resource that fire, as it shows them.
    async fn active(&self, resource: &str) -> Vec<Value> {
        let body = self.asked("/api/v2/alerts").await.expect("it answers");
        let alerts: Vec<Value> = serde_json::from_str(&body).expect("a list");
        alerts.into_iter().filter(|alert| alert["labels"]["resource_id"] == resource).collect()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Our channel, which tells these instances.
fn channel(urls: &[&str]) -> Sender {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let text = format!("urls = {urls:?}\n");
    let table = DeTable::parse(&text).expect("TOML");
    let mut sink = Sink::new("test", &text);
    let kind = notifier::find("alertmanager").expect("a type");
    let settings = (kind.settings)(&mut Fields::root(table.get_ref(), &mut sink)).expect("settings");
    let order = Order {
        channel: "am",
        settings: &*settings,
        proxy: None,
        secret: &|setting| setting.load(&|_| None, None),
    };
    kind.build.expect("it can be built")(&order).expect("a channel")
}

async fn told(channel: &Sender, state: &State) -> Outcome {
    let Sender::State(replica) = channel else { panic!("it takes the state") };
    let setting = Setting { now: state.now, ..samples::setting(Locale::En) };
    replica.replicate(state, &setting, RESEND).await
}

fn delivered(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Delivered(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

/// A certificate whose days are counted from now, not from the moment of the samples.
fn facts(id: &str, left: TimeDelta) -> CertificateFacts {
    let not_after = Utc::now() + left;
    CertificateFacts { not_after, ..samples::facts("订单库 <b>", id, left) }
}

fn open(facts: CertificateFacts, stage: Stage, since: TimeDelta) -> Open {
    Open { item: samples::entered(stage, None, facts), since: Utc::now() - since }
}

fn state(open: Vec<Open>, ended: Vec<Ended>) -> State {
    State { open, ended, now: Utc::now(), ..State::default() }
}

#[tokio::test]
async fn what_stands_is_shown_with_its_labels_and_is_gone_after_a_renewal() {
    let alertmanager = Alertmanager::begin().await;
    let channel = channel(&[&alertmanager.url()]);
    let critical = || open(facts("r-1", TimeDelta::days(6)), Stage::Critical, TimeDelta::hours(5));
    let receipt = delivered(told(&channel, &state(vec![critical()], vec![])).await);
    assert_eq!(receipt.said, "1 of 1 instances took 2 alerts");

    let alerts = alertmanager.active("r-1").await;
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    let labels = json!({
        "alertname": "NotafterCertificateExpiring", "severity": "critical", "cloud_provider": "alibaba",
        "cloud_account": "prod", "cloud_region": "cn-hangzhou", "cloud_service": "redis",
        "resource_id": "r-1", "cert_role": "server", "team": "dba",
    });
    assert_eq!(alert["labels"], labels);
    assert_eq!(alert["annotations"]["resource_name"], "订单库 <b>");
    assert_eq!(alert["status"]["state"], "active");
    let ends: DateTime<Utc> = alert["endsAt"].as_str().and_then(|text| text.parse().ok()).expect("a moment");
    assert!((TimeDelta::minutes(3)..TimeDelta::minutes(5)).contains(&(ends - Utc::now())), "{ends}");

    let renewed = facts("r-1", TimeDelta::days(370));
    let how = How::Renewed { now: Box::new(renewed), stage: Stage::Ok, by: By::Notafter };
    let ended = Ended { was: critical(), at: Utc::now(), how };
    delivered(told(&channel, &state(vec![], vec![ended])).await);
    assert_eq!(alertmanager.active("r-1").await, [] as [Value; 0], "its list has only what fires");
}

#[tokio::test]
async fn a_deeper_stage_leaves_exactly_one_alert() {
    let alertmanager = Alertmanager::begin().await;
    let channel = channel(&[&alertmanager.url()]);
    for (stage, days, want) in [
        (Stage::Info, 20, "info"),
        (Stage::Warning, 13, "warning"),
        (Stage::Critical, 6, "critical"),
        (Stage::Expired, -1, "critical"),
    ] {
        let standing = open(facts("r-1", TimeDelta::days(days)), stage, TimeDelta::zero());
        delivered(told(&channel, &state(vec![standing], vec![])).await);
        let alerts = alertmanager.active("r-1").await;
        let severities: Vec<_> = alerts.iter().map(|alert| alert["labels"]["severity"].clone()).collect();
        assert_eq!(severities, [want], "{stage:?}");
        assert_eq!(alerts[0]["annotations"]["stage"], stage.as_str());
    }
}

#[tokio::test]
async fn every_sort_of_text_is_taken_and_five_hundred_are_shown() {
    let alertmanager = Alertmanager::begin().await;
    let channel = channel(&[&alertmanager.url()]);
    let since = TimeDelta::minutes(1);
    for (name, message) in samples::all() {
        let stands = |item: &Item| matches!(item.type_name(), "certificate.expiring" | "certificate.expired");
        let standing = message.items.into_iter().filter(stands);
        let open = standing.map(|item| Open { item, since: Utc::now() - since }).collect();
        let receipt = delivered(told(&channel, &state(open, vec![])).await);
        assert!(!receipt.said.contains("left out"), "{name}: {}", receipt.said);
    }
    let many = (0..500).map(|n| open(facts(&format!("r-{n}"), TimeDelta::days(6)), Stage::Critical, since));
    delivered(told(&channel, &state(many.collect(), vec![])).await);
    for resource in ["r-0", "r-199", "r-200", "r-499"] {
        assert_eq!(alertmanager.active(resource).await.len(), 1, "{resource}");
    }
}

#[tokio::test]
async fn one_instance_that_takes_it_suffices_and_the_others_are_named() {
    let alertmanager = Alertmanager::begin().await;
    let channel = channel(&["http://127.0.0.1:1", &alertmanager.url()]);
    let critical = open(facts("r-1", TimeDelta::days(6)), Stage::Critical, TimeDelta::hours(5));
    let receipt = delivered(told(&channel, &state(vec![critical], vec![])).await);
    assert!(
        receipt.said.starts_with("1 of 2 instances took 2 alerts · http://127.0.0.1:1: "),
        "{}",
        receipt.said
    );
    assert_eq!(alertmanager.active("r-1").await.len(), 1);
}

#[tokio::test]
async fn one_bad_alert_is_left_out_and_the_others_are_taken() {
    let alertmanager = Alertmanager::begin().await;
    let spoiler = spoil(alertmanager.address).await;
    let channel = channel(&[&format!("http://{spoiler}")]);
    let standing = |id: &str, label: &str| {
        let labels = [(label.into(), "x".into())].into();
        let facts = CertificateFacts { labels, ..facts(id, TimeDelta::days(6)) };
        open(facts, Stage::Critical, TimeDelta::hours(5))
    };
    let all = [("r-1", "sound"), ("r-bad", "spoilt name"), ("r-2", "sound")];
    let state = state(all.map(|(id, label)| standing(id, label)).into(), vec![]);
    for attempt in ["taken apart", "left out from the start"] {
        let said = delivered(told(&channel, &state).await).said;
        assert!(
            said.contains("1 left out: NotafterCertificateExpiring r-bad: HTTP 400"),
            "{attempt}: {said}"
        );
        let shown = [alertmanager.active("r-1").await, alertmanager.active("r-2").await];
        assert_eq!(shown.map(|alerts| alerts.len()), [1, 1], "{attempt}");
        assert_eq!(alertmanager.active("r-bad").await, [] as [Value; 0], "{attempt}");
    }
}

/// Stands before it and makes a label's name invalid, which ours never are.
async fn spoil(on: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((asking, _)) = listener.accept().await {
            let answering = TcpStream::connect(on).await.expect("it lives");
            tokio::spawn(pass_on(asking, answering));
        }
    });
    address
}

async fn pass_on(asking: TcpStream, answering: TcpStream) {
    let (mut questions, mut asker) = asking.into_split();
    let (mut answers, mut receiver) = answering.into_split();
    let back = tokio::spawn(async move { copy(&mut answers, &mut asker).await });
    let mut block = vec![0; 1024 * 1024];
    while let Ok(read @ 1..) = questions.read(&mut block).await {
        let text = String::from_utf8_lossy(&block[..read]).replace("\"spoilt_name\"", "\"spoilt-name\"");
        if receiver.write_all(text.as_bytes()).await.is_err() {
            break;
        }
    }
    back.abort();
}
