//! The fleet of the demonstration: believable, the same every time, readable over the wire, and alive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::daemon::Daemon;
use notafter::domain::resource::TlsState;
use notafter::shutdown::Stop;
use notafter::sim::alibaba::{AlibabaCloud, Engine, Expected, Fleet, Outcome, Product, Truth};
use notafter::sim::demo::{Inboxes, Simulated, config_toml, start};
use notafter::sim::fleet::{USUAL_SIZE, believable};
use serde_json::Value;

use crate::support::{Caller, days, noon};

const THROTTLED: Outcome = Outcome::Faulted("throttle");

fn demo() -> Fleet {
    believable(USUAL_SIZE, 1, noon())
}

fn ids(fleet: &Fleet) -> BTreeSet<String> {
    fleet.instances().map(|instance| instance.id.to_string()).collect()
}

#[test]
fn the_same_seed_makes_the_same_fleet_of_any_size() {
    assert_eq!(ids(&demo()), ids(&demo()));
    assert_ne!(ids(&demo()), ids(&believable(USUAL_SIZE, 2, noon())));
    for size in [0, 1, 7, 5000] {
        assert_eq!(believable(size, 1, noon()).len(), size);
    }
}

#[test]
fn every_engine_account_and_region_is_there() {
    let fleet = demo();
    let engines: BTreeSet<Engine> = fleet.instances().map(|instance| instance.engine).collect();
    assert_eq!(engines.len(), 9, "{engines:?}");
    let owners: BTreeSet<_> = fleet.instances().map(|instance| instance.account.clone()).collect();
    assert_eq!(owners.len(), fleet.accounts.len());
    let regions: BTreeSet<_> = fleet.instances().map(|instance| instance.region.clone()).collect();
    assert_eq!(regions.len(), 5, "and one more that refuses");
    assert!(fleet.instances().any(|instance| instance.name.contains('缓')));
    assert!(fleet.instances().all(|instance| instance.tags.len() == 3));
}

#[tokio::test]
async fn most_is_well_and_there_is_trouble_of_each_kind() {
    let cloud = AlibabaCloud::start(demo(), noon).await.unwrap();
    let truths: Vec<Truth> = cloud.expected().into_iter().map(|expected| expected.truth).collect();
    let ends = |from: i64, to: i64| {
        let within = |end: DateTime<Utc>| (days(from)..days(to)).contains(&end);
        truths.iter().filter(|truth| truth.expires.is_some_and(within)).count()
    };
    let state = |wanted| truths.iter().filter(|truth| truth.state == wanted).count();
    assert!(ends(60, 2000) > USUAL_SIZE / 2, "far away: {}", ends(60, 2000));
    for (name, count) in [
        ("expired", ends(-100, 0)),
        ("within a day", ends(0, 1)),
        ("within a week", ends(1, 7)),
        ("within two weeks", ends(7, 14)),
        ("within a month", ends(14, 30)),
        ("off", state(TlsState::Disabled)),
        ("unsupported", state(TlsState::Unsupported)),
        ("busy", state(TlsState::Unknown)),
        ("unreadable", truths.iter().filter(|t| t.state == TlsState::Enabled && t.expires.is_none()).count()),
    ] {
        assert!((1..USUAL_SIZE / 4).contains(&count), "{name}: {count}");
    }
}

#[tokio::test]
async fn the_configuration_names_every_account_and_the_port() {
    let cloud = AlibabaCloud::start(demo(), noon).await.unwrap();
    let clouds: Vec<Box<dyn Simulated>> = vec![Box::new(cloud.clone())];
    let config: toml::Table = config_toml(&clouds, "127.0.0.1:9809", None).parse().unwrap();
    let accounts = config["account"].as_array().unwrap();
    let names: Vec<_> = accounts.iter().map(|account| account["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["prod-cn", "prod-intl", "staging", "data-platform", "legacy"]);
    for account in accounts {
        assert_eq!(account["provider"].as_str(), Some("alibaba"));
        for service in ["redis", "rds", "mongodb"] {
            assert_eq!(account["endpoints"][service].as_str(), Some(&*cloud.base_url()));
        }
        assert!(account["credentials"]["access_key_secret"].is_str());
    }
    assert_eq!(config["web"]["listen"][0].as_str(), Some("127.0.0.1:9809"));
    assert_eq!(config["poll"]["min_interval"].as_str(), Some("5s"));
}

/// What the API says of an instance, read by hand.
async fn read(caller: &Caller, expected: &Expected) -> Truth {
    let product = Product::ALL.into_iter().find(|product| product.service() == expected.service).unwrap();
    let (action, name) = match product {
        Product::Redis => ("DescribeInstanceSSL", "InstanceId"),
        _ => ("DescribeDBInstanceSSL", "DBInstanceId"),
    };
    let (status, json) = caller.call(product, action, &[(name, &expected.id)]).await;
    let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    if status != 200 {
        let busy = text("Code") == "IncorrectDBInstanceState";
        return Truth { state: if busy { TlsState::Unknown } else { TlsState::Unsupported }, expires: None };
    }
    let on =
        ["Enable", "Yes", "on", "Open"].contains(&[text("SSLEnabled"), text("SSLStatus")].concat().as_str());
    let end = [text("SSLExpiredTime"), text("SSLExpireTime")].concat().parse().ok().filter(|_| on);
    Truth { state: if on { TlsState::Enabled } else { TlsState::Disabled }, expires: end }
}

#[tokio::test]
async fn what_is_true_can_be_read_except_for_the_account_whose_key_is_off() {
    let caller = Caller::to(demo()).await;
    let keys: BTreeMap<_, _> = caller.cloud.modify(|fleet| {
        fleet.accounts.iter().map(|account| (account.name.clone(), account.keys[0].clone())).collect()
    });
    for expected in caller.cloud.expected() {
        let key = &keys[&expected.account];
        let caller = caller.with_key(&key.id, &key.secret, None);
        if &*expected.account == "legacy" {
            let refused = caller.err(Product::Rds, "DescribeRegions", &[]).await;
            assert_eq!(refused, (400, "InvalidAccessKeyId.Inactive".into()));
        } else {
            assert_eq!(read(&caller, &expected).await, expected.truth, "{expected:?}");
        }
    }
}

/// Two hours of life, a tick every five seconds.
async fn lived() -> (Caller, Vec<BTreeMap<String, Truth>>) {
    let caller = Caller::to(demo()).await;
    let mut moments = Vec::new();
    for tick in 0..1440 {
        caller.cloud.live(caller.now(), tick);
        caller.pass(TimeDelta::seconds(5));
        moments.push(caller.cloud.expected().into_iter().map(|e| (e.id.to_string(), e.truth)).collect());
    }
    (caller, moments)
}

#[tokio::test]
async fn life_renews_adds_and_takes_away_and_never_gets_out_of_hand() {
    let (caller, moments) = lived().await;
    let (mut renewed, mut came, mut went) = (0, 0, 0);
    for pair in moments.windows(2) {
        let later =
            |id: &String, truth: &Truth| pair[0].get(id).is_some_and(|old| old.expires < truth.expires);
        renewed += pair[1].iter().filter(|(id, truth)| later(id, truth)).count();
        came += pair[1].keys().filter(|id| !pair[0].contains_key(*id)).count();
        went += pair[0].keys().filter(|id| !pair[1].contains_key(*id)).count();
    }
    assert!(renewed > 5 && came > 50 && went > 50, "renewed {renewed}, came {came}, went {went}");
    assert!(moments.iter().all(|moment| (USUAL_SIZE..USUAL_SIZE + 10).contains(&moment.len())));
    let rebooting =
        caller.cloud.modify(|fleet| fleet.instances().filter(|i| &*i.status == "Rebooting").count());
    assert!(rebooting <= 1, "{rebooting} never came back");
    let soon =
        moments.last().unwrap().values().filter(|truth| truth.expires.is_some_and(|end| end < days(30)));
    assert!(soon.count() >= 4, "something is left to look at");
}

#[tokio::test]
async fn life_throttles_now_and_then() {
    let caller = Caller::to(demo()).await;
    let throttled_calls =
        |caller: &Caller| caller.cloud.calls().iter().filter(|call| call.outcome == THROTTLED).count();
    let key = caller.cloud.modify(|fleet| fleet.accounts[0].keys[0].clone());
    let caller = caller.with_key(&key.id, &key.secret, None);
    for (name, tick, throttled) in [("the spell", 8, 5), ("afterwards", 11, 5)] {
        caller.cloud.live(caller.now(), tick);
        for expected in caller.cloud.expected() {
            read(&caller, &expected).await;
        }
        assert_eq!(throttled_calls(&caller), throttled, "{name}");
    }
}

#[tokio::test]
async fn every_cloud_takes_part_and_the_configuration_is_a_good_one() {
    let clouds = start(USUAL_SIZE, 1, noon()).await.unwrap();
    assert_eq!(clouds.iter().map(|cloud| cloud.resources()).sum::<usize>(), USUAL_SIZE);
    let text = config_toml(&clouds, "127.0.0.1:9809", None);
    let config = notafter::config::parse(&text, "demo").unwrap_or_else(|problems| panic!("{problems}"));
    let providers: BTreeSet<_> = config.accounts.iter().map(|account| account.provider.name).collect();
    assert_eq!(providers, BTreeSet::from(["alibaba", "huawei", "ucloud"]));
    assert_eq!(config.web.external_url.as_deref(), Some("http://127.0.0.1:9809"));
    let any_port = config_toml(&clouds, "127.0.0.1:0", None);
    assert!(!any_port.contains("external_url"), "nobody knows the port");
}

/// The daemon over one cloud, with receivers of what it tells.
struct Show {
    cloud: AlibabaCloud,
    page: String,
    _inboxes: Inboxes,
    _folder: tempfile::TempDir,
    _stop: Stop,
}

impl Show {
    async fn begin() -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let cloud = AlibabaCloud::start(believable(40, 1, Utc::now()), Utc::now).await.unwrap();
        let clouds: Vec<Box<dyn Simulated>> = vec![Box::new(cloud.clone())];
        let inboxes = Inboxes::start(Some("http://127.0.0.1:9809/")).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text =
            config_toml(&clouds, "127.0.0.1:9809", None) + &inboxes.config_toml(&folder.path().join("db"));
        let mut config =
            notafter::config::parse(&text, "demo").unwrap_or_else(|problems| panic!("{problems}"));
        config.web.listen = vec!["127.0.0.1:0".parse().unwrap()];
        (config.poll.max_age, config.poll.min_interval) = (Duration::from_secs(2), Duration::from_secs(1));
        let daemon = Daemon::prepare(config, &|_| None).await.unwrap();
        let stop = Stop::new();
        tokio::spawn(daemon.run(stop.listener()));
        Self { cloud, page: inboxes.page_url(), _inboxes: inboxes, _folder: folder, _stop: stop }
    }

    async fn html(&self) -> String {
        reqwest::get(&self.page).await.unwrap().text().await.unwrap()
    }

    /// Waits until one of each is on the page.
    async fn wait_for(&self, wanted: &[&[&str]]) -> String {
        for _ in 0..600 {
            let html = self.html().await;
            if wanted.iter().all(|texts| texts.iter().any(|text| html.contains(text))) {
                return html;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{wanted:?} is not on the page:\n{}", self.html().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_receiver_is_told_how_things_stand_and_later_of_a_renewal() {
    let show = Show::begin().await;
    let told = [["message slack"], ["message dingtalk"], ["message webhook"], ["支付库"]];
    let first = show.wait_for(&told.each_ref().map(|texts| &texts[..])).await;
    for text in ["This is how things stand", "以下是当前状况", "<b>&quot;type&quot;</b>: &quot;digest&quot;"]
    {
        assert!(first.contains(text), "{text}: {first}");
    }
    assert!(!first.contains("class=\"refused\""), "{first}");
    let id = show.cloud.modify(|fleet| fleet.instances().find(|i| &*i.name == "支付库").unwrap().id.clone());
    show.cloud.renew(&id, Utc::now() + TimeDelta::days(365));
    // alone, or in a message about more
    let slack = ["Now expires", "renewed until"];
    let told: [&[&str]; 3] = [&slack, &["新到期", "已续期至"], &["certificate.renewed"]];
    let later = show.wait_for(&told).await;
    let (new, old) = (slack.map(|text| later.find(text)), later.find("This is how things stand"));
    assert!(new.iter().flatten().all(|new| Some(*new) < old), "the newest comes first");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_runs_nothing_and_has_nothing_else() {
    let show = Show::begin().await;
    let answer = reqwest::get(&show.page).await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let html = answer.text().await.unwrap();
    for forbidden in ["<script", " style=", "<style", "src=\"http"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for (path, method, status) in [
        ("style.css", "GET", 200),
        ("icon.svg", "GET", 200),
        ("", "HEAD", 200),
        ("", "POST", 405),
        ("elsewhere", "GET", 404),
    ] {
        let request = reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", show.page));
        assert_eq!(request.send().await.unwrap().status(), status, "{method} /{path}");
    }
}
