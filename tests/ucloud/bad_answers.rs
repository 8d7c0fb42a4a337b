//! What UCloud has of its own on a bad day. What every cloud may do is in `tests/conformance`.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Fault, Total, Where, WrongType};
use notafter::sim::ucloud::Entry;

use crate::common::beside_each_other;
use crate::support::{OTHER_REGION, PROJECT, REGION, Watch, days, entry, find, fleet, scope};

/// Every odd answer, and the reason it must be given. `None`: nobody may notice.
fn odd_answers() -> Vec<(&'static str, Fault, Option<Reason>)> {
    vec![
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), Some(Reason::Unreadable)),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), Some(Reason::Unreadable)),
        ("503 with a code", Fault::Status { status: 503, json: true }, Some(Reason::Unreachable)),
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
    beside_each_other(odd_answers().into_iter().map(|(name, fault, want)| odd_listing(name, fault, want)))
        .await;
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
    watch.until(name, |snapshot| scope(snapshot, PROJECT, OTHER_REGION).is_up()).await;
    watch.cloud.clear_faults();
    watch.until("recovery", |snapshot| scope(snapshot, PROJECT, REGION).is_up()).await;
    watch.end().await;
}

#[tokio::test]
async fn rows_that_move_and_totals_that_lie_remove_nothing() {
    let cases = [
        ("duplicate rows", Fault::DuplicateRows, true),
        ("vanishing rows", Fault::VanishingRows, true),
        ("a total too small", Fault::LyingTotals(Total::TooSmall), true),
        ("a total too large", Fault::LyingTotals(Total::TooLarge), true),
        ("no total", Fault::LyingTotals(Total::Absent), true),
        ("a negative total", Fault::LyingTotals(Total::Negative), true),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), false),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), false),
    ];
    beside_each_other(cases.into_iter().map(|(name, fault, up)| moving(name, fault, up))).await;
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
