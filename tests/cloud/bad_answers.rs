//! A cloud on a bad day. For every odd answer: the right reason at the right place, last known values kept, others
//! untouched, and recovery by itself.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Charset, Engine, Fault, Hang, Reset, Total, Where, WrongType};

use tokio::task::JoinSet;

use crate::support::{OTHER_REGION, REGION, Watch, days, find, fleet, instance, scope};

/// Every odd answer, and the reason it must be given. `None`: nobody may notice.
fn odd_answers() -> Vec<(&'static str, Fault, Option<Reason>)> {
    let status = |status, json| Fault::Status { status, json };
    vec![
        ("HTML with 200", Fault::Html { status: 200 }, Some(Reason::Unreadable)),
        ("HTML with 502", Fault::Html { status: 502 }, Some(Reason::Unreachable)),
        ("HTML with 403", Fault::Html { status: 403 }, Some(Reason::Unreadable)),
        ("empty body", Fault::EmptyBody, Some(Reason::Unreadable)),
        ("cut body", Fault::CutBody, Some(Reason::Unreadable)),
        ("garbage", Fault::Garbage, Some(Reason::Unreadable)),
        ("a list for the answer", Fault::WrongTypes(WrongType::ListForAnswer), Some(Reason::Unreadable)),
        ("null everywhere", Fault::WrongTypes(WrongType::NullEverywhere), Some(Reason::Unreadable)),
        ("endless", Fault::EndlessBody { gzip: false }, Some(Reason::TooLarge)),
        ("a gzip bomb", Fault::EndlessBody { gzip: true }, Some(Reason::TooLarge)),
        ("redirect", Fault::Redirect { to: "http://127.0.0.1:1/".into() }, Some(Reason::Unreadable)),
        ("UTF-16", Fault::WrongCharset(Charset::Utf16), Some(Reason::Unreadable)),
        ("no answer", Fault::Hang(Hang::NoAnswer), Some(Reason::Timeout)),
        ("a head without a body", Fault::Hang(Hang::HeadOnly), Some(Reason::Timeout)),
        ("a byte a second", Fault::Hang(Hang::Drip), Some(Reason::Timeout)),
        ("reset", Fault::Reset(Reset::BeforeAnswer), Some(Reason::Unreachable)),
        ("a kept connection is reset", Fault::Reset(Reset::KeptConnection), None),
        ("500 without a word", status(500, false), Some(Reason::Unreachable)),
        ("500 with JSON", status(500, true), Some(Reason::Refused)),
        ("503 without a word", status(503, false), Some(Reason::Unreachable)),
        ("throttled", Fault::Throttle { retry_after_ms: Some(50) }, Some(Reason::Throttled)),
    ]
}

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

fn reason_of(snapshot: &Snapshot, id: &str) -> Option<Reason> {
    find(snapshot, id).and_then(|resource| resource.failure.as_ref()).map(|failure| failure.reason)
}

fn is_fresh(snapshot: &Snapshot, id: &str, since: Instant, now: chrono::DateTime<chrono::Utc>) -> bool {
    let since = now - TimeDelta::from_std(since.elapsed()).expect("short");
    find(snapshot, id).and_then(|resource| resource.looked_at).is_some_and(|at| at > since)
}

#[tokio::test]
async fn an_odd_detail_concerns_its_resource_alone_and_heals() {
    let mut cases = JoinSet::new();
    for (name, fault, want) in odd_answers() {
        cases.spawn(odd_detail(name, fault, want));
    }
    cases.join_all().await;
}

async fn odd_detail(name: &'static str, fault: Fault, want: Option<Reason>) {
    let watch = watch_two().await;
    watch.cloud.inject(fault, Where::resource("r-odd"), None);
    let since = Instant::now();
    let seen = watch
        .until(name, |snapshot| match want {
            Some(want) => reason_of(snapshot, "r-odd") == Some(want),
            None => {
                is_fresh(snapshot, "r-odd", since, chrono::Utc::now())
                    && since.elapsed() > Duration::from_secs(1)
            }
        })
        .await;
    let odd = find(&seen, "r-odd").expect("still there");
    assert_eq!(odd.certificates().first().map(|c| c.not_after), Some(days(100)), "{name}: last known value");
    assert_eq!(reason_of(&seen, "r-odd"), want, "{name}: {:?}", odd.failure);
    assert_eq!(reason_of(&seen, "r-well"), None, "{name}: its neighbour");
    assert!(scope(&seen, "prod", OTHER_REGION, "redis").is_up(), "{name}: another region");
    watch.cloud.clear_faults();
    watch.until("recovery", |snapshot| reason_of(snapshot, "r-odd").is_none()).await;
    watch.end().await;
}

#[tokio::test]
async fn an_odd_listing_removes_nothing_and_heals() {
    let mut cases = JoinSet::new();
    for (name, fault, want) in odd_answers() {
        cases.spawn(odd_listing(name, fault, want));
    }
    cases.join_all().await;
}

async fn odd_listing(name: &'static str, fault: Fault, want: Option<Reason>) {
    let watch = watch_two().await;
    let action = Some(Cow::Borrowed("DescribeInstances"));
    let place = Where { action, region: Some(REGION.into()), key: Some("prod".into()), resource: None };
    watch.cloud.inject(fault, place, None);
    let reason = |snapshot: &Snapshot| {
        scope(snapshot, "prod", REGION, "redis").failure().map(|failure| failure.reason)
    };
    let since = Instant::now();
    let seen = watch
        .until(name, |snapshot| {
            reason(snapshot) == want && (want.is_some() || since.elapsed() > Duration::from_secs(1))
        })
        .await;
    let now = scope(&seen, "prod", REGION, "redis");
    assert_eq!(now.resources.len(), 2, "{name}: nothing is removed");
    assert!(scope(&seen, "prod", OTHER_REGION, "redis").is_up(), "{name}: another region");
    assert!(scope(&seen, "other", REGION, "redis").is_up(), "{name}");
    watch.cloud.clear_faults();
    watch.until("recovery", |snapshot| scope(snapshot, "prod", REGION, "redis").is_up()).await;
    watch.end().await;
}

#[tokio::test]
async fn rows_that_move_and_totals_that_lie_remove_nothing() {
    for (name, fault, up) in [
        ("duplicate rows", Fault::DuplicateRows, Some(true)),
        ("vanishing rows", Fault::VanishingRows, Some(false)),
        ("a total too small", Fault::LyingTotals(Total::TooSmall), Some(true)),
        ("a total too large", Fault::LyingTotals(Total::TooLarge), Some(false)),
        ("no total", Fault::LyingTotals(Total::Absent), Some(true)),
        ("a negative total", Fault::LyingTotals(Total::Negative), Some(true)),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), Some(false)),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), None),
    ] {
        let mut fleet = fleet();
        for n in 0..120 {
            fleet.insert(instance(Engine::Redis, &format!("r-{n:03}")));
        }
        let watch = Watch::over(fleet).await;
        watch.until_read().await;
        watch.cloud.inject(fault, Where::action("DescribeInstances"), None);
        let attempts = |snapshot: &Snapshot| scope(snapshot, "prod", REGION, "redis").attempted_at;
        let before = attempts(&watch.snapshot());
        let seen = watch
            .until(name, |snapshot| attempts(snapshot) > before.map(|at| at + TimeDelta::milliseconds(900)))
            .await;
        let view = scope(&seen, "prod", REGION, "redis");
        let kept = view.resources.iter().filter(|resource| resource.id.starts_with("r-")).count();
        assert_eq!(kept, 120, "{name}: nothing is removed");
        if let Some(up) = up {
            assert_eq!((kept, view.is_up()), (120, up), "{name}: {:?}", view.failure());
        }
        watch.end().await;
    }
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

/// Resident memory of this process in MiB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096 / 1024 / 1024
}
