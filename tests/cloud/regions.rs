//! Regions that are listed no more: gone only when they do not answer either, and never when somebody named them.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::domain::policy::PollPolicy;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Engine, Fault, Where};

use crate::support::{Build, OTHER_REGION, REGION, UID, Watch, days, fleet, instance};

/// So quick that regions are asked for every second or two.
fn hasty() -> PollPolicy {
    PollPolicy {
        max_age: Duration::from_millis(600),
        min_interval: Duration::from_millis(50),
        discover_every: Duration::from_millis(80),
        timeout: Duration::from_millis(1500),
        concurrency: 64,
    }
}

/// An instance of Redis in each of two regions, both read.
async fn watch(regions: Option<Vec<String>>) -> Watch {
    let mut fleet = fleet();
    fleet.insert(instance(Engine::Redis, "r-1"));
    let mut other = notafter::sim::alibaba::Instance::new(Engine::Redis, "r-2", UID, OTHER_REGION, days(50));
    other.name = "other".into();
    fleet.insert(other);
    let account = Build { services: vec!["redis"], regions, ..Build::account("prod") };
    let watch = Watch::with(fleet, hasty(), Mode::Continuous, vec![account]).await;
    let read = |s: &Snapshot| s.resources().filter(|(_, resource)| resource.reading.is_some()).count() == 2;
    watch.until("both are read", read).await;
    watch
}

fn regions(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.scopes.keys().map(|scope| &*scope.region).collect()
}

/// Waits until the list of regions was asked for so many times more.
async fn lists(watch: &Watch, more: usize) {
    let count = || watch.cloud.calls().iter().filter(|call| call.action == "DescribeRegions").count();
    let wanted = count() + more;
    for _ in 0..1000 {
        if count() >= wanted {
            return tokio::time::sleep(Duration::from_millis(150)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the regions were not asked for {more} times within 10 s");
}

fn out_of_service(watch: &Watch) {
    let place = Where { region: Some(OTHER_REGION.into()), ..Where::action("DescribeInstances") };
    watch.cloud.inject(Fault::Status { status: 500, json: true }, place, None);
}

fn unlist(watch: &Watch) {
    watch.cloud.modify(|fleet| fleet.regions.retain(|region| *region.id != *OTHER_REGION));
}

#[tokio::test]
async fn a_region_that_neither_answers_nor_is_listed_goes() {
    let watch = watch(None).await;
    out_of_service(&watch);
    unlist(&watch);
    let gone = |snapshot: &Snapshot| regions(snapshot) == [REGION] && snapshot.resources().count() == 1;
    watch.until("its scope is gone", gone).await;
    watch.end().await;
}

#[tokio::test]
async fn a_region_that_fails_and_is_listed_stays() {
    let watch = watch(None).await;
    out_of_service(&watch);
    lists(&watch, 3).await;
    assert_eq!((regions(&watch.snapshot()).len(), watch.snapshot().resources().count()), (2, 2));
    watch.end().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_speaks_against_nothing() {
    let watch = watch(None).await;
    out_of_service(&watch);
    let body = format!(
        r#"{{"RequestId":"R","RegionIds":{{"KVStoreRegion":[{{"RegionId":"{REGION}"}},{{"RegionId":null}}]}}}}"#
    );
    let fault = Fault::Custom { status: 200, headers: vec![], body: body.into() };
    watch.cloud.inject(fault, Where::action("DescribeRegions"), None);
    lists(&watch, 4).await;
    assert_eq!((regions(&watch.snapshot()).len(), watch.snapshot().resources().count()), (2, 2));
    watch.end().await;
}

#[tokio::test]
async fn a_region_that_is_named_stays_and_is_not_asked_about() {
    let named = [REGION, OTHER_REGION].map(str::to_owned).to_vec();
    let watch = watch(Some(named)).await;
    out_of_service(&watch);
    unlist(&watch);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let snapshot = watch.snapshot();
    assert_eq!((regions(&snapshot).len(), snapshot.resources().count()), (2, 2));
    assert_eq!(snapshot.scopes.values().filter(|view| !view.is_up()).count(), 1);
    assert!(!watch.cloud.calls().iter().any(|call| call.action == "DescribeRegions"));
    watch.end().await;
}
