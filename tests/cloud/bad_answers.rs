//! What Alibaba Cloud has of its own on a bad day. What every cloud may do is in `tests/conformance`.

use std::time::Duration;

use chrono::TimeDelta;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Engine, Fault, Total, Where, WrongType};

use crate::common::{beside_each_other, resident};
use crate::support::{OTHER_REGION, REGION, Watch, fleet, instance, scope};

async fn watch_two() -> Watch {
    let mut fleet = fleet();
    for id in ["r-odd", "r-well"] {
        fleet.insert(instance(Engine::Redis, id));
    }
    let mut elsewhere = instance(Engine::Redis, "r-elsewhere");
    elsewhere.region = OTHER_REGION.into();
    fleet.insert(elsewhere);
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch
}

#[tokio::test]
async fn rows_that_move_and_totals_that_lie_are_told_where_they_matter() {
    let cases = [
        ("duplicate rows", Fault::DuplicateRows, true),
        ("vanishing rows", Fault::VanishingRows, false),
        ("a total too small", Fault::LyingTotals(Total::TooSmall), true),
        ("a total too large", Fault::LyingTotals(Total::TooLarge), false),
        ("no total", Fault::LyingTotals(Total::Absent), true),
        ("a negative total", Fault::LyingTotals(Total::Negative), true),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), false),
    ];
    beside_each_other(cases.into_iter().map(|(name, fault, up)| odd_rows(name, fault, up))).await;
}

async fn odd_rows(name: &'static str, fault: Fault, up: bool) {
    let mut fleet = fleet();
    for n in 0..120 {
        fleet.insert(instance(Engine::Redis, &format!("r-{n:03}")));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.inject(fault, Where::action("DescribeInstances"), None);
    let attempts = |snapshot: &Snapshot| scope(snapshot, "prod", REGION, "redis").attempted_at;
    let later = attempts(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(900));
    let seen = watch.until(name, |snapshot| attempts(snapshot) > later).await;
    let view = scope(&seen, "prod", REGION, "redis");
    assert_eq!((view.resources.len(), view.is_up()), (120, up), "{name}: {:?}", view.failure());
    watch.end().await;
}

#[tokio::test]
async fn a_token_that_loops_ends_the_tags_and_not_the_listing() {
    let mut fleet = fleet();
    fleet.tag_rows_per_page = 1;
    for n in 0..3 {
        let mut instance = instance(Engine::MySql, &format!("rm-{n}"));
        instance.tags = vec![("env".into(), "prod".into())];
        fleet.insert(instance);
    }
    let watch = Watch::over(fleet).await;
    let tagged =
        |snapshot: &Snapshot| snapshot.resources().filter(|(_, r)| r.tag("env").is_some()).count() == 3;
    watch.until("tags over three pages", tagged).await;
    watch.cloud.inject(Fault::NextTokenLoop, Where::action("ListTagResources"), None);
    let listed = |snapshot: &Snapshot| scope(snapshot, "prod", REGION, "rds").listed_at;
    let before = listed(&watch.snapshot());
    let seen = watch
        .until("another listing", |snapshot| listed(snapshot) > before.map(|at| at + TimeDelta::seconds(1)))
        .await;
    assert!(tagged(&seen), "tags known before stay");
    assert!(scope(&seen, "prod", REGION, "rds").is_up());
    watch.end().await;
}

#[tokio::test]
async fn a_region_out_of_service_concerns_itself_alone() {
    let watch = watch_two().await;
    watch.cloud.inject(Fault::RegionRefused, Where::region(OTHER_REGION), None);
    let seen = watch.until("a refusing region", |s| !scope(s, "prod", OTHER_REGION, "redis").is_up()).await;
    assert!(scope(&seen, "prod", REGION, "redis").is_up());
    assert_eq!(scope(&seen, "prod", OTHER_REGION, "redis").resources.len(), 1);
    watch.end().await;
}

#[tokio::test]
async fn errors_with_lower_case_keys_are_understood() {
    let watch = watch_two().await;
    watch.cloud.modify(|fleet| fleet.accounts[0].keys[0].disabled = true);
    watch.cloud.inject(Fault::LowercaseKeys, Where::default(), None);
    let denied = |snapshot: &Snapshot| {
        let failure = scope(snapshot, "prod", REGION, "redis").failure().cloned();
        failure.is_some_and(|failure| {
            failure.reason == Reason::Denied && failure.text.contains("InvalidAccessKeyId")
        })
    };
    watch.until("a disabled key", denied).await;
    watch.end().await;
}

#[tokio::test]
async fn a_clock_off_by_twenty_minutes_is_named_as_such() {
    let watch = watch_two().await;
    watch.cloud.set_clock_offset(TimeDelta::minutes(20));
    let told = |snapshot: &Snapshot| {
        let failure = scope(snapshot, "prod", REGION, "redis").failure().cloned();
        failure.is_some_and(|failure| {
            failure.reason == Reason::Denied && failure.text.contains("s behind the cloud's")
        })
    };
    let seen = watch.until("a clock that is off", told).await;
    assert_eq!(seen.resources().count(), 3);
    watch.end().await;
}

#[tokio::test]
async fn endless_bodies_do_not_fill_the_memory() {
    let watch = watch_two().await;
    let before = resident();
    for gzip in [false, true] {
        watch.cloud.inject(Fault::EndlessBody { gzip }, Where::default(), Some(20));
    }
    let denied = |snapshot: &Snapshot| {
        snapshot
            .resources()
            .any(|(_, r)| r.failure.as_ref().is_some_and(|failure| failure.reason == Reason::TooLarge))
    };
    watch.until("an endless body", denied).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 256, "{grown} MiB more, though no answer may take more than 8 MiB");
    watch.end().await;
}
