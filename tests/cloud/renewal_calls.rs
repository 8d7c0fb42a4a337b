//! What is read before and after a renewal, and that its call arrives once with exactly its parameters.

use chrono::{TimeDelta, Timelike, Utc};
use notafter::domain::renewal::method::{Begins, Material};
use notafter::provider::Sent;
use notafter::sim::alibaba::{Engine, Fault, Instance, OnModify, Renewal, Rights, SslModel, Where, Window};

use crate::renewal_desk::{Desk, scope};
use crate::support::{days, instance};

fn versioned(engine: Engine, id: &str, version: &str) -> Instance {
    Instance { version: version.into(), ..instance(engine, id) }
}

#[tokio::test]
async fn each_engine_gets_one_call_with_its_parameters_and_a_later_end() {
    let rds = |host: &str, rest: &str| {
        format!("ModifyDBInstanceSSL{rest} ConnectionString={host} DBInstanceId=ID SSLEnabled=1")
    };
    for (name, service, it, begins, want) in [
        (
            "Redis",
            "redis",
            instance(Engine::Redis, "ID"),
            Begins::AtOnce,
            "ModifyInstanceSSL InstanceId=ID SSLEnabled=Update".to_owned(),
        ),
        (
            "MySQL 5.7",
            "rds",
            versioned(Engine::MySql, "ID", "5.7"),
            Begins::AtOnce,
            rds("HOST", " CAType=aliyun"),
        ),
        (
            "MySQL 8.0",
            "rds",
            versioned(Engine::MySql, "ID", "8.0"),
            Begins::AtOnce,
            rds("HOST", " CAType=aliyun"),
        ),
        (
            "PostgreSQL",
            "rds",
            instance(Engine::PostgreSql, "ID"),
            Begins::AtOnce,
            rds("HOST", " CAType=aliyun"),
        ),
        (
            "SQL Server",
            "rds",
            instance(Engine::SqlServer, "ID"),
            Begins::AtOnce,
            "ModifyDBInstanceSSL ConnectionString=HOST DBInstanceId=ID SSLEnabled=2".to_owned(),
        ),
        (
            "MongoDB at once",
            "mongodb",
            instance(Engine::MongoReplica, "ID"),
            Begins::AtOnce,
            "ModifyDBInstanceSSL DBInstanceId=ID SSLAction=Update SwitchMode=0".to_owned(),
        ),
        (
            "MongoDB in its window",
            "mongodb",
            instance(Engine::MongoSharded, "ID"),
            Begins::InCloudWindow,
            "ModifyDBInstanceSSL DBInstanceId=ID SSLAction=Update SwitchMode=1".to_owned(),
        ),
    ] {
        // opens in six hours, whenever this runs
        let from = (u16::try_from(Utc::now().hour()).expect("small") + 6) % 24 * 60;
        let it = Instance { window: Window { from, to: (from + 120) % (24 * 60) }, ..it };
        let host = it.host.to_string();
        let desk = Desk::with(vec![it]).await;
        desk.cloud
            .modify(|fleet| fleet.renewal = Renewal { takes: TimeDelta::zero(), life: TimeDelta::days(365) });
        let before = desk.examine(service, "ID").await;
        let call = desk.call(service, "ID", None, begins).await;
        let sent = desk.send(service, &call, None).await;
        assert!(matches!(&sent, Sent::Accepted { request_id } if request_id.len() > 20), "{name}: {sent:?}");
        assert_eq!(desk.the_one(), want.replace("HOST", &host), "{name}");
        assert!(desk.arrived()[0].parameters.iter().all(|parameter| !parameter.in_body), "{name}");
        let after = desk.examine(service, "ID").await;
        let later = after.not_after > before.not_after;
        assert_eq!(later, begins == Begins::AtOnce, "{name}: {before:?} {after:?}");
    }
}

#[tokio::test]
async fn what_a_renewal_needs_to_know_is_read() {
    let window = Window { from: 22 * 60 + 30, to: 90 };
    let of = |engine, id| Instance { window, ..instance(engine, id) };
    let desk = Desk::with(vec![
        of(Engine::Tair, "r"),
        of(Engine::PostgreSql, "pgm"),
        of(Engine::MongoReplica, "dds"),
    ])
    .await;
    for (service, id, status) in
        [("redis", "r", "Normal"), ("rds", "pgm", "Running"), ("mongodb", "dds", "Running")]
    {
        let host = desk.cloud.modify(|fleet| fleet.get(id).map(|it| it.host.to_string()));
        let found = desk.examine(service, id).await;
        assert_eq!(found.detail.status.as_deref(), Some(status), "{id}");
        assert_eq!(found.detail.window.as_deref(), Some("22:30Z-01:30Z"), "{id}");
        assert_eq!(found.detail.host.as_deref(), host.as_deref(), "{id}");
        assert_eq!((found.detail.rotation, &found.detail.material), (None, &Material::Unread), "{id}");
        assert_eq!((found.not_after, found.failed, found.gone), (Some(days(100)), None, false), "{id}");
    }
    assert!(desk.arrived().is_empty(), "reading changes nothing");
}

#[tokio::test]
async fn a_call_whose_time_is_over_when_it_is_its_turn_is_not_made() {
    let desk = Desk::with(vec![instance(Engine::MongoReplica, "dds")]).await;
    let call = desk.call("mongodb", "dds", None, Begins::AtOnce).await;
    let sent = desk.send_late("mongodb", &call).await;
    assert!(matches!(&sent, Sent::NotSent { text } if text.contains("it is over")), "{sent:?}");
    assert!(desk.arrived().is_empty(), "{:?}", desk.arrived());
}

#[tokio::test]
async fn how_far_a_renewal_is_can_be_read() {
    let late = Instance {
        on_modify: OnModify::FailsLater("disk full".into()),
        ..instance(Engine::PostgreSql, "pgm")
    };
    let desk = Desk::with(vec![late, instance(Engine::MongoReplica, "dds")]).await;
    assert!(matches!(desk.renew("mongodb", "dds").await, Sent::Accepted { .. }));
    let busy = desk.examine("mongodb", "dds").await;
    assert_eq!(
        (busy.detail.status.as_deref(), busy.not_after),
        (Some("SSLModifying"), None),
        "its describe says busy"
    );
    assert!(matches!(desk.renew("rds", "pgm").await, Sent::Accepted { .. }));
    assert_eq!(desk.examine("rds", "pgm").await.failed, None, "not yet");
    desk.cloud.set_clock_offset(TimeDelta::minutes(2));
    let failed = desk.examine("rds", "pgm").await;
    assert_eq!((failed.failed.as_deref(), failed.not_after), (Some("disk full"), Some(days(100))));
    let over = desk.examine("mongodb", "dds").await;
    assert!(over.detail.status.as_deref() == Some("Running") && over.not_after > Some(days(100)), "{over:?}");
}

#[tokio::test]
async fn gone_is_what_both_calls_do_not_know() {
    let half = Instance {
        ssl: SslModel::gone(notafter::sim::alibaba::Product::Rds),
        ..instance(Engine::MySql, "half")
    };
    let desk = Desk::with(vec![half]).await;
    assert!(desk.examine("rds", "never").await.gone);
    let error = desk.renewer().examine(&scope("rds"), "half").await.expect_err("they contradict each other");
    assert_eq!(error.code.as_deref(), Some("InvalidDBInstanceId.NotFound"));
}

#[tokio::test]
async fn the_usual_host_stands_in_for_a_protected_one_that_is_not_named() {
    let desk = Desk::with(vec![instance(Engine::MySql, "rm")]).await;
    let usual = desk.examine("rds", "rm").await.detail.host;
    let spoilt = |body: &str| {
        desk.cloud.clear_faults();
        let fault = Fault::Custom { status: 200, headers: vec![], body: body.to_owned().into() };
        desk.cloud.inject(fault, Where::action("DescribeDBInstanceSSL"), None);
    };
    spoilt(r#"{"SSLEnabled":"Yes","ConnectionString":"","RequestId":"R"}"#);
    assert_eq!(desk.examine("rds", "rm").await.detail.host, usual);
    spoilt(r#"{"SSLEnabled":"Yes","ConnectionString":"public.example","RequestId":"R"}"#);
    assert_eq!(desk.examine("rds", "rm").await.detail.host.as_deref(), Some("public.example"));
}

#[tokio::test]
async fn the_shipped_policies_are_enough_and_reading_alone_renews_nothing() {
    let policy = |text: &str| -> Vec<String> {
        let policy: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let statements = policy["Statement"].as_array().expect("statements").clone();
        let actions = statements.iter().flat_map(|one| one["Action"].as_array().expect("actions").clone());
        actions.map(|action| action.as_str().expect("a name").to_owned()).collect()
    };
    let read = policy(include_str!("../../policies/alibaba-read.json"));
    let renew = policy(include_str!("../../policies/alibaba-renew.json"));
    for (name, rights, want) in
        [("both", [read.clone(), renew.clone()].concat(), true), ("reading", read, false)]
    {
        let desk = Desk::with(vec![
            instance(Engine::Redis, "r"),
            instance(Engine::MySql, "rm"),
            instance(Engine::MongoReplica, "dds"),
        ])
        .await;
        let mut calls = Vec::new();
        for (service, id) in [("redis", "r"), ("rds", "rm"), ("mongodb", "dds")] {
            calls.push((service, desk.call(service, id, None, Begins::AtOnce).await));
        }
        desk.cloud.modify(|fleet| fleet.accounts[0].keys[0].rights = Rights::Only(rights));
        for (service, call) in calls {
            let id = &call.parameters[0].1;
            let examined = desk.renewer().examine(&scope(service), id).await;
            assert_eq!(examined.is_ok(), want, "{name}: {service}: {examined:?}");
            let sent = desk.send(service, &call, None).await;
            assert_eq!(matches!(sent, Sent::Accepted { .. }), want, "{name}: {service}: {sent:?}");
        }
    }
}

#[tokio::test]
async fn a_call_of_another_product_or_without_its_pair_is_never_made() {
    let desk = Desk::with(vec![instance(Engine::Redis, "r"), instance(Engine::MySql, "rm")]).await;
    let redis = desk.call("redis", "r", None, Begins::AtOnce).await;
    let files = notafter::domain::policy::OwnCertificate { cert_file: "c".into(), key_file: "k".into() };
    let own = desk.call("rds", "rm", Some(&files), Begins::AtOnce).await;
    for (service, call) in [("rds", &redis), ("other", &redis), ("rds", &own)] {
        let sent = desk.send(service, call, None).await;
        assert!(matches!(sent, Sent::NotSent { .. }), "{service}: {sent:?}");
    }
    assert!(desk.arrived().is_empty());
}
