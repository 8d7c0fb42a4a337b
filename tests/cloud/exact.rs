//! What is shown equals what the cloud has: every date, every state, over thousands of instances.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use notafter::daemon::poll::Mode;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::resource::{DateSource, ManagedBy, TlsState};
use notafter::metrics::MetricsPage;
use notafter::sim::alibaba::{Engine, Expiry, Fleet, Instance, Rights, ServerCert, SslModel};

use crate::support::{
    Build, OTHER_REGION, OTHER_UID, REGION, UID, Watch, days, find, fleet, instance, quick, scope,
};

const ENGINES: [Engine; 9] = [
    Engine::Redis,
    Engine::RedisCluster,
    Engine::Tair,
    Engine::MySql,
    Engine::PostgreSql,
    Engine::SqlServer,
    Engine::MariaDb,
    Engine::MongoReplica,
    Engine::MongoSharded,
];

/// Three thousand instances of both accounts and regions: every engine, every state, every way to write a date.
fn large_fleet() -> Fleet {
    let mut fleet = fleet();
    for n in 0..3000_usize {
        let engine = ENGINES[n % ENGINES.len()];
        let account = if n % 5 == 0 { OTHER_UID } else { UID };
        let region = if n % 7 == 0 { OTHER_REGION } else { REGION };
        let ends = days(i64::try_from(n % 800).expect("small") - 100);
        let mut instance = Instance::new(engine, &format!("i-{n:05}"), account, region, ends);
        instance.numbers_for_text = n % 3 == 0;
        instance.custom_ca = n % 41 == 0;
        if engine != Engine::MariaDb {
            instance.ssl = state(n, ends, engine, &instance);
        }
        fleet.insert(instance);
    }
    fleet
}

fn state(n: usize, ends: DateTime<Utc>, engine: Engine, instance: &Instance) -> SslModel {
    let written = |text: &str, means: Option<&str>| SslModel::On {
        expires: Expiry::Text { text: text.into(), means: means.and_then(|means| means.parse().ok()) },
    };
    match n % 29 {
        0 => SslModel::Off { stale: Some(ends) },
        1 => SslModel::Off { stale: None },
        2 => SslModel::unsupported(engine),
        3 => SslModel::busy(),
        4 => SslModel::gone(instance.product()),
        5 => written("2027-03-04T05:06Z", Some("2027-03-04T05:06:00Z")),
        6 => written("2027-03-04T05:06:07.890+08:00", Some("2027-03-03T21:06:07.890Z")),
        7 => written("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
        8 => written("0001-01-01T00:00:00Z", None),
        9 => written("-", None),
        10 => written("next year", None),
        11 => SslModel::On { expires: Expiry::Absent },
        12 => SslModel::On { expires: Expiry::Null },
        13 => SslModel::On { expires: Expiry::Number(1_795_910_400) },
        _ => SslModel::on(ends),
    }
}

/// PostgreSQL shows the certificate itself; where the field is odd, that is where the date comes from.
fn without_server_cert(fleet: &mut Fleet) {
    let ids: Vec<_> = fleet.instances().map(|instance| instance.id.clone()).collect();
    for id in ids {
        if let Some(instance) = fleet.get_mut(&id) {
            instance.server_cert = ServerCert::Absent;
        }
    }
}

#[tokio::test]
async fn every_date_on_the_metrics_page_is_the_clouds() {
    let mut fleet = large_fleet();
    without_server_cert(&mut fleet);
    let accounts = vec![Build::account("prod"), Build::account("other")];
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, accounts).await;
    let (expected, telemetry) = (watch.cloud.expected(), watch.telemetry.clone());
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    drop(cloud);

    let page = MetricsPage::new(telemetry, quick(), Utc::now());
    let page = page.plain(snapshot.clone(), Utc::now()).await.expect("rendered");
    let text = String::from_utf8(page.flat_map(|block| block.to_vec()).collect()).expect("UTF-8");
    let shown = series(&text, "notafter_certificate_not_after_timestamp_seconds");
    let on = series(&text, "notafter_resource_tls_enabled");
    let mut wanted = BTreeMap::new();
    for truth in &expected {
        let key = (
            truth.account.to_string(),
            truth.region.to_string(),
            truth.service.to_owned(),
            truth.id.to_string(),
        );
        let enabled = match truth.truth.state {
            TlsState::Enabled => Some("1"),
            TlsState::Disabled => Some("0"),
            TlsState::Unsupported | TlsState::Unknown => None,
        };
        assert_eq!(on.get(&key).map(String::as_str), enabled, "{key:?}");
        if let Some(ends) = truth.truth.expires {
            wanted.insert(key, ends.timestamp());
        }
    }
    assert!(wanted.len() > 1500, "a fleet that proves something: {}", wanted.len());
    let shown: BTreeMap<_, i64> =
        shown.into_iter().map(|(key, value)| (key, whole_seconds(&value))).collect();
    assert_eq!(shown, wanted);
}

/// A timestamp without its fraction: the cloud's own truth is to the second.
fn whole_seconds(value: &str) -> i64 {
    value.split('.').next().and_then(|seconds| seconds.parse().ok()).expect("a number")
}

/// Samples of one family by (account, region, service, id).
fn series(page: &str, name: &str) -> BTreeMap<(String, String, String, String), String> {
    let label = |line: &str, label: &str| {
        let rest = line.split_once(&format!("{label}=\"")).map(|(_, rest)| rest).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut found = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with(&format!("{name}{{"))) {
        let value = line.rsplit(' ').next().unwrap_or_default().to_owned();
        let key =
            ["cloud_account", "cloud_region", "cloud_service", "resource_id"].map(|name| label(line, name));
        let [account, region, service, id] = key;
        assert!(found.insert((account, region, service, id), value).is_none(), "twice on the page: {line}");
    }
    found
}

#[tokio::test]
async fn states_and_reasons_of_single_resources_are_right() {
    let mut fleet = fleet();
    let mut add = |id: &str, engine: Engine, change: &dyn Fn(&mut Instance)| {
        let mut instance = instance(engine, id);
        change(&mut instance);
        fleet.insert(instance);
    };
    add("on", Engine::Redis, &|_| {});
    add("off", Engine::MySql, &|i| i.ssl = SslModel::Off { stale: Some(days(-5)) });
    add("maria", Engine::MariaDb, &|_| {});
    add("busy", Engine::MongoReplica, &|i| i.ssl = SslModel::busy());
    add("dash", Engine::Tair, &|i| i.ssl = SslModel::On { expires: Expiry::unreadable("-") });
    add("creating", Engine::MySql, &|i| i.status = "Creating".into());
    add("custom", Engine::PostgreSql, &|i| i.custom_ca = true);
    add("apart", Engine::PostgreSql, &|i| i.server_cert = ServerCert::Ending(days(7)));
    add("update", Engine::MySql, &|i| i.require_update = true);
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![Build::account("prod")]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    drop(cloud);
    let get = |id: &str| find(&snapshot, id).unwrap_or_else(|| panic!("{id} is not there"));
    for (id, state, certificates, failed) in [
        ("on", TlsState::Enabled, 1, false),
        ("off", TlsState::Disabled, 0, false),
        ("maria", TlsState::Unsupported, 0, false),
        ("busy", TlsState::Unknown, 0, false),
        ("dash", TlsState::Enabled, 0, true),
        ("creating", TlsState::Unknown, 0, false),
        ("custom", TlsState::Enabled, 1, false),
    ] {
        let resource = get(id);
        let found = (resource.state(), resource.certificates().len(), resource.failure.is_some());
        assert_eq!(found, (state, certificates, failed), "{id}: {:?}", resource.failure);
    }
    assert_eq!(get("creating").looked_at, None, "there is nothing to look at yet");
    assert_eq!(get("custom").reading.as_ref().and_then(|r| r.managed_by), Some(ManagedBy::Customer));
    assert_eq!(get("update").reading.as_ref().and_then(|r| r.renewal_required), Some(true));
    let apart = &get("apart").certificates()[0];
    assert_eq!(
        (apart.source, apart.not_after, apart.dates_disagree()),
        (DateSource::X509, days(7), Some(true))
    );
    assert_eq!(get("on").certificates()[0].dates_disagree(), None);
}

#[tokio::test]
async fn what_changes_at_the_cloud_is_seen() {
    let mut fleet = fleet();
    for id in ["r-1", "r-2"] {
        fleet.insert(instance(Engine::Redis, id));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    let renewed = days(465);
    assert!(watch.cloud.renew("r-1", renewed));
    watch.cloud.create(instance(Engine::MySql, "rm-new"));
    assert!(watch.cloud.delete("r-2"));
    let seen = watch
        .until("the renewal, the new one and the deletion", |snapshot| {
            let is = |id: &str, ends| {
                find(snapshot, id).is_some_and(|r| r.certificates().iter().any(|c| c.not_after == ends))
            };
            is("r-1", renewed) && is("rm-new", days(100)) && find(snapshot, "r-2").is_none()
        })
        .await;
    assert!(scope(&seen, "prod", REGION, "redis").is_up());
    watch.end().await;
}

#[tokio::test]
async fn listings_larger_than_any_page_are_complete() {
    let mut fleet = fleet();
    for (engine, count) in
        [(Engine::Redis, 151), (Engine::MySql, 200), (Engine::MongoReplica, 201), (Engine::MongoSharded, 100)]
    {
        for n in 0..count {
            fleet.insert(instance(engine, &format!("{engine:?}-{n:03}")));
        }
    }
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![Build::account("prod")]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    drop(cloud);
    for (service, count) in [("redis", 151), ("rds", 200), ("mongodb", 301)] {
        let view = scope(&snapshot, "prod", REGION, service);
        assert_eq!(
            (view.resources.len(), view.counts.of(TlsState::Enabled), view.is_up()),
            (count, count, true)
        );
    }
}

#[tokio::test]
async fn tags_of_every_service_decide_what_is_kept() {
    let mut fleet = fleet();
    for (engine, id) in [(Engine::Redis, "r"), (Engine::MySql, "rm"), (Engine::MongoReplica, "dds")] {
        for env in ["prod", "dev"] {
            let mut instance = instance(engine, &format!("{id}-{env}"));
            instance.tags = vec![("env".into(), env.into())];
            fleet.insert(instance);
        }
    }
    let mut account = Build::account("prod");
    account.filter.include = vec![Matcher::parse(r#"tag:env="prod""#, LabelSet::RESOURCE).expect("valid")];
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![account]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    drop(cloud);
    let ids: Vec<_> = snapshot.resources().map(|(_, resource)| resource.id.to_string()).collect();
    assert_eq!(ids, ["dds-prod", "rm-prod", "r-prod"]);
    assert_eq!(scope(&snapshot, "prod", REGION, "rds").excluded, 1);
}

#[tokio::test]
async fn tags_that_may_not_be_read_leave_the_rest_as_it_is() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::MySql, "rm-1"));
    for account in &mut fleet.accounts {
        for key in &mut account.keys {
            key.rights = Rights::Except(vec!["rds:ListTagResources".into()]);
        }
    }
    let watch = Watch::over(fleet).await;
    let snapshot = watch.until_read().await;
    let view = scope(&snapshot, "prod", REGION, "rds");
    assert_eq!((view.resources.len(), view.is_up()), (1, true));
    watch.end().await;
}

#[tokio::test]
async fn configured_regions_are_not_asked_for() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let account =
        Build { regions: Some(vec![REGION.to_owned()]), services: vec!["redis"], ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![account]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    assert!(cloud.calls().iter().all(|call| call.action != "DescribeRegions"));
    assert_eq!((snapshot.scopes.len(), snapshot.resources().count()), (1, 1));
    tokio::time::sleep(Duration::ZERO).await;
}
