//! What is shown equals what the cloud has: every date, every state, over thousands of instances.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::matcher::{LabelSet, Matcher};
use notafter::domain::resource::{DateSource, ManagedBy, TlsState};
use notafter::sim::alibaba::{Engine, Expiry, Instance, Rights, ServerCert, SslModel};

use crate::support::{Build, REGION, Watch, days, find, fleet, instance, quick, scope};

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
