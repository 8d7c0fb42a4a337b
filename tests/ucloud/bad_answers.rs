//! A cloud on a bad day. For every odd answer: the right reason at the right place, last known values kept, others
//! untouched, and recovery by itself.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Charset, Fault, Hang, Reset, Total, Where, WrongType};
use notafter::sim::ucloud::Entry;
use tokio::task::JoinSet;

use crate::support::{OTHER_REGION, PROJECT, REGION, Watch, days, entry, find, fleet, scope};

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
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), Some(Reason::Unreadable)),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), Some(Reason::Unreadable)),
        ("null everywhere", Fault::WrongTypes(WrongType::NullEverywhere), Some(Reason::Unreadable)),
        ("endless", Fault::EndlessBody { gzip: false }, Some(Reason::TooLarge)),
        ("a gzip bomb", Fault::EndlessBody { gzip: true }, Some(Reason::TooLarge)),
        ("redirect", Fault::Redirect { to: "http://127.0.0.1:1/".into() }, Some(Reason::Unreadable)),
        ("GBK in a text nobody reads", Fault::WrongCharset(Charset::Gbk), None),
        ("UTF-16", Fault::WrongCharset(Charset::Utf16), Some(Reason::Unreadable)),
        ("no answer", Fault::Hang(Hang::NoAnswer), Some(Reason::Timeout)),
        ("a head without a body", Fault::Hang(Hang::HeadOnly), Some(Reason::Timeout)),
        ("a byte a second", Fault::Hang(Hang::Drip), Some(Reason::Timeout)),
        ("reset", Fault::Reset(Reset::BeforeAnswer), Some(Reason::Unreachable)),
        ("a kept connection is reset", Fault::Reset(Reset::KeptConnection), None),
        ("500 without a word", status(500, false), Some(Reason::Unreachable)),
        ("500 with a code", status(500, true), Some(Reason::Unreachable)),
        ("503 without a word", status(503, false), Some(Reason::Unreachable)),
        ("503 with a code", status(503, true), Some(Reason::Unreachable)),
        ("throttled", Fault::Throttle { retry_after_ms: None }, Some(Reason::Throttled)),
        ("codes as text", Fault::TextCodes, None),
        ("a region that refuses", Fault::RegionRefused, Some(Reason::Refused)),
        ("a code as a word", answer(r#"{"RetCode":"fine","DataSet":[]}"#), Some(Reason::Unreadable)),
        ("no code", answer(r#"{"DataSet":[],"TotalCount":0}"#), Some(Reason::Unreadable)),
        ("no list", answer(r#"{"RetCode":0}"#), Some(Reason::Unreadable)),
        ("a list that is none", answer(r#"{"RetCode":0,"DataSet":{}}"#), Some(Reason::Unreadable)),
        ("a project that is gone", answer(r#"{"RetCode":292}"#), Some(Reason::Refused)),
        ("a gateway that waited", answer(r#"{"RetCode":110,"Message":"timeout"}"#), Some(Reason::Timeout)),
        ("no right to the zone", answer(r#"{"RetCode":"293"}"#), Some(Reason::Denied)),
    ]
}

fn answer(body: &'static str) -> Fault {
    Fault::Custom { status: 200, headers: vec![], body: body.into() }
}

/// Two entries in one place, one in another region, one of another account.
async fn watch_two() -> Watch {
    let mut fleet = fleet();
    fleet.insert(entry("ssl-1"));
    fleet.insert(entry("ssl-2"));
    fleet.insert(Entry::new("ssl-elsewhere", "prod", PROJECT, OTHER_REGION, days(100)));
    fleet.insert(Entry::new("ssl-other", "other", "org-other", REGION, days(100)));
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch
}

fn listing_in(region: &str) -> Where {
    Where { region: Some(region.into()), key: Some("prod+key/=@".into()), ..Where::action("DescribeSSLV2") }
}

#[tokio::test]
async fn an_odd_listing_removes_nothing_and_heals() {
    let mut cases = JoinSet::new();
    for (name, fault, want) in odd_answers() {
        cases.spawn(odd_listing(name, fault, want));
    }
    while let Some(case) = cases.join_next().await {
        case.expect("the case passed");
    }
}

async fn odd_listing(name: &'static str, fault: Fault, want: Option<Reason>) {
    let watch = watch_two().await;
    watch.cloud.inject(fault, listing_in(REGION), None);
    let reason =
        |snapshot: &Snapshot| scope(snapshot, PROJECT, REGION).failure().map(|failure| failure.reason);
    let before = scope(&watch.snapshot(), PROJECT, REGION);
    let since = Instant::now();
    let seen = watch
        .until(name, |snapshot| {
            reason(snapshot) == want && (want.is_some() || since.elapsed() > Duration::from_secs(1))
        })
        .await;
    let now = scope(&seen, PROJECT, REGION);
    assert!(now.listed_at >= before.listed_at, "{name}");
    for id in ["ssl-1", "ssl-2"] {
        let end = find(&seen, id).and_then(|found| found.certificates().first().map(|leaf| leaf.not_after));
        assert_eq!(end, Some(days(100)), "{name}: {id} stays known");
    }
    assert!(scope(&seen, "org-other", REGION).is_up(), "{name}: another account");
    if want != Some(Reason::Throttled) {
        watch.until(name, |snapshot| scope(snapshot, PROJECT, OTHER_REGION).is_up()).await;
    }
    watch.cloud.clear_faults();
    watch.until("recovery", |snapshot| scope(snapshot, PROJECT, REGION).is_up()).await;
    watch.end().await;
}

#[tokio::test]
async fn rows_that_move_and_totals_that_lie_remove_nothing() {
    let mut cases = JoinSet::new();
    for (name, fault, up) in [
        ("duplicate rows", Fault::DuplicateRows, true),
        ("vanishing rows", Fault::VanishingRows, true),
        ("a total too small", Fault::LyingTotals(Total::TooSmall), true),
        ("a total too large", Fault::LyingTotals(Total::TooLarge), true),
        ("no total", Fault::LyingTotals(Total::Absent), true),
        ("a negative total", Fault::LyingTotals(Total::Negative), true),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), false),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), false),
    ] {
        cases.spawn(moving(name, fault, up));
    }
    while let Some(case) = cases.join_next().await {
        case.expect("the case passed");
    }
}

async fn moving(name: &'static str, fault: Fault, up: bool) {
    let mut fleet = fleet();
    for n in 0..120 {
        fleet.insert(entry(&format!("ssl-{n:03}")));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.inject(fault, listing_in(REGION), None);
    let attempted = |snapshot: &Snapshot| scope(snapshot, PROJECT, REGION).attempted_at;
    let before = attempted(&watch.snapshot());
    let later = before.map(|at| at + TimeDelta::milliseconds(900));
    let seen = watch.until(name, |snapshot| attempted(snapshot) > later).await;
    let view = scope(&seen, PROJECT, REGION);
    let kept = view.resources.iter().filter(|resource| resource.id.starts_with("ssl-")).count();
    assert_eq!((kept, view.is_up()), (120, up), "{name}: {:?}", view.failure());
    watch.end().await;
}

#[tokio::test]
async fn an_answer_that_is_empty_by_mistake_is_not_believed() {
    let watch = watch_two().await;
    let empty = answer(r#"{"RetCode":0,"TotalCount":0,"DataSet":[]}"#);
    // Only pages: a question for one id finds it.
    watch.cloud.inject(empty, Where { resource: Some(String::new()), ..listing_in(REGION) }, None);
    let listed = |snapshot: &Snapshot| scope(snapshot, PROJECT, REGION).listed_at;
    let later = listed(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(900));
    let seen = watch.until("more listings", |snapshot| listed(snapshot) > later).await;
    assert_eq!(scope(&seen, PROJECT, REGION).resources.len(), 2);
    let asked = watch.cloud.calls().iter().filter(|call| call.resource == "ssl-1").count();
    assert!(asked > 0, "it was asked for by its id");
    watch.end().await;
}

#[tokio::test]
async fn many_deletions_are_confirmed_over_several_listings() {
    let mut fleet = fleet();
    for n in 0..130 {
        fleet.insert(entry(&format!("ssl-{n:03}")));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.modify(|fleet| {
        for n in 10..130 {
            fleet.remove(&format!("ssl-{n:03}"));
        }
    });
    let seen = watch
        .until("ten are left", |snapshot| {
            let view = scope(snapshot, PROJECT, REGION);
            view.resources.len() == 10 && view.is_up()
        })
        .await;
    assert!(find(&seen, "ssl-000").is_some());
    watch.end().await;
}

#[tokio::test]
async fn regions_or_projects_that_cannot_be_listed_are_visible_and_heal() {
    for (action, body, reason) in [
        ("GetRegion", "<html>", Reason::Unreadable),
        ("GetRegion", r#"{"RetCode":0,"Regions":[]}"#, Reason::Unreadable),
        ("GetRegion", r#"{"RetCode":0,"Regions":null}"#, Reason::Unreadable),
        ("GetProjectList", r#"{"RetCode":299,"Message":"no"}"#, Reason::Denied),
        ("GetProjectList", r#"{"RetCode":0,"ProjectSet":[{"ProjectName":"x"},null]}"#, Reason::Unreadable),
    ] {
        let mut fleet = fleet();
        fleet.insert(entry("ssl-1"));
        let accounts = vec![crate::support::Build::account("prod")];
        let mode = notafter::daemon::poll::Mode::Continuous;
        let watch = Watch::with(fleet, crate::support::quick(), mode, accounts);
        let watch = watch.await;
        watch.cloud.inject(answer(body), Where::action(action), Some(3));
        let failing = |snapshot: &Snapshot| {
            let mut failures = snapshot.scopes.values().filter_map(|view| view.failure());
            failures.any(|failure| failure.reason == reason)
        };
        watch.until(action, failing).await;
        watch.until("recovery", |snapshot| find(snapshot, "ssl-1").is_some()).await;
        watch.end().await;
    }
}

#[tokio::test]
async fn endless_bodies_do_not_fill_the_memory() {
    let watch = watch_two().await;
    let before = resident();
    for gzip in [false, true] {
        watch.cloud.inject(Fault::EndlessBody { gzip }, Where::default(), Some(20));
    }
    let told = |snapshot: &Snapshot| {
        let mut failures = snapshot.scopes.values().filter_map(|view| view.failure());
        failures.any(|failure| failure.reason == Reason::TooLarge)
    };
    watch.until("an endless body", told).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 400, "{grown} MiB more, though no answer may take more than 8 MiB");
    watch.end().await;
}

/// Resident memory of this process in MiB.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096 / 1024 / 1024
}
