//! Keys that are refused, permissions that are missing, quotas that are small: used gently, and nobody else suffers.

use std::time::Duration;

use chrono::TimeDelta;
use notafter::daemon::poll::Mode;
use notafter::domain::reason::Reason;
use notafter::domain::resource::TlsState;
use notafter::sim::alibaba::{Engine, Fault, Quota, Rights, Where};

use crate::support::{Build, REGION, SECRET, Watch, days, fleet, instance, quick, scope};

#[tokio::test]
async fn a_missing_permission_for_one_service_leaves_the_others() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    fleet.insert(instance(Engine::MySql, "rm-1"));
    fleet.accounts[0].keys[0].rights = Rights::Except(vec!["kvstore:DescribeInstances".into()]);
    let watch = Watch::over(fleet).await;
    let seen = watch.until("RDS", |s| s.resources().any(|(_, r)| r.state() == TlsState::Enabled)).await;
    let redis = watch.until("Redis denied", |s| scope(s, "prod", REGION, "redis").failure().is_some()).await;
    let failure = scope(&redis, "prod", REGION, "redis").failure().cloned().expect("just seen");
    assert_eq!(failure.reason, Reason::Denied);
    assert!(
        failure.text.contains("kvstore:DescribeInstances") && failure.text.contains("Forbidden.RAM"),
        "{failure:?}"
    );
    assert!(failure.text.contains("request "), "the cloud's request id is there: {failure:?}");
    assert!(scope(&seen, "prod", REGION, "rds").is_up());
    watch.end().await;
}

#[tokio::test]
async fn the_shipped_policy_is_enough_for_everything() {
    let policy = include_str!("../../policies/alibaba-read.json");
    let policy: serde_json::Value = serde_json::from_str(policy).expect("JSON");
    let actions = policy["Statement"][0]["Action"].as_array().expect("actions");
    let actions = actions.iter().map(|action| action.as_str().expect("a name").to_owned()).collect();
    let mut fleet = fleet();
    for (engine, id) in [(Engine::Redis, "r"), (Engine::PostgreSql, "pgm"), (Engine::MongoSharded, "dds")] {
        fleet.insert(instance(engine, id));
    }
    fleet.accounts[0].keys[0].rights = Rights::Only(actions);
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![Build::account("prod")]).await;
    let snapshot = watch.until_read().await;
    assert!(snapshot.scopes.values().all(|view| view.is_up()));
    assert!(
        snapshot.resources().count() == 3
            && snapshot.resources().all(|(_, r)| r.state() == TlsState::Enabled)
    );
    let refused = watch.cloud.counts().values().map(|count| count.refused).sum::<u64>();
    assert_eq!(refused, 0);
    watch.end().await;
}

#[tokio::test]
async fn details_without_permission_stop_after_a_few() {
    let mut fleet = fleet();
    for n in 0..200 {
        fleet.insert(instance(Engine::Redis, &format!("r-{n:03}")));
    }
    fleet.accounts[0].keys[0].rights = Rights::Except(vec!["kvstore:DescribeInstanceSSL".into()]);
    let account = Build { rate_limit: Some(20.0), ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![account]).await;
    watch.until("denied details", |s| scope(s, "prod", REGION, "redis").look_failure.is_some()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = watch.cloud.calls().iter().filter(|call| call.action == "DescribeInstanceSSL").count();
    assert!(asked <= 22, "{asked} details were asked for without a permission");
    assert_eq!(watch.snapshot().resources().count(), 200);
    watch.end().await;
}

#[tokio::test]
async fn a_small_quota_is_found_and_everything_is_read() {
    let mut fleet = fleet();
    for n in 0..60 {
        fleet.insert(instance(Engine::Redis, &format!("r-{n:03}")));
    }
    fleet.quotas.push(Quota {
        action: Some("DescribeInstanceSSL".into()),
        calls: 15,
        per: TimeDelta::seconds(1),
        retry_after_ms: Some(300),
    });
    let account = Build { rate_limit: Some(100.0), services: vec!["redis"], ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Once { only: None }, vec![account]).await;
    let cloud = watch.cloud.clone();
    let snapshot = watch.finished().await;
    let view = scope(&snapshot, "prod", REGION, "redis");
    assert_eq!(view.counts.of(TlsState::Enabled), 60, "{:?}", view.look_failure);
    let counts = cloud.counts();
    let throttled: u64 = counts
        .iter()
        .filter(|((_, action, _), _)| action == "DescribeInstanceSSL")
        .map(|(_, c)| c.throttled)
        .sum();
    assert!(throttled > 0, "the test must throttle");
}

#[tokio::test]
async fn a_hint_of_the_cloud_is_obeyed() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let account =
        Build { services: vec!["redis"], regions: Some(vec![REGION.into()]), ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![account]).await;
    watch.until_read().await;
    let throttle = Fault::Throttle { retry_after_ms: Some(2500) };
    watch.cloud.inject(throttle, Where::action("DescribeInstanceSSL"), Some(1));
    watch.until("throttled", |s| s.resources().any(|(_, r)| r.failure.is_some())).await;
    let calls = |watch: &Watch| {
        watch.cloud.calls().iter().filter(|call| call.action == "DescribeInstanceSSL").count()
    };
    let before = calls(&watch);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(calls(&watch), before, "2.5 s of silence were asked for");
    watch.until("recovery", |s| s.resources().all(|(_, r)| r.failure.is_none())).await;
    watch.end().await;
}

#[tokio::test]
async fn temporary_credentials_are_sent_and_their_end_is_told() {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let token = notafter::sim::alibaba::Token { text: crate::support::TOKEN.into(), expires: days(1) };
    let key = notafter::sim::alibaba::Key {
        token: Some(token),
        ..notafter::sim::alibaba::Key::new("STS.x", SECRET)
    };
    fleet.accounts[0].keys.push(key);
    let account = Build { key_id: "STS.x", token: Some(crate::support::TOKEN), ..Build::account("prod") };
    let watch = Watch::with(fleet, quick(), Mode::Continuous, vec![account]).await;
    watch.until_read().await;
    watch.cloud.modify(|fleet| {
        if let Some(token) = &mut fleet.accounts[0].keys[1].token {
            token.expires = days(-1);
        }
    });
    let ended = |s: &notafter::domain::snapshot::Snapshot| {
        scope(s, "prod", REGION, "redis").failure().is_some_and(|f| f.text.contains("InvalidSecurityToken"))
    };
    watch.until("the end of the token", ended).await;
    watch.end().await;
}
