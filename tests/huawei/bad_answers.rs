//! What Huawei Cloud has of its own on a bad day: a list of projects without which nothing is known, numbers that mean
//! two things. What every cloud may do is in `tests/conformance`.

use bytes::Bytes;
use chrono::TimeDelta;
use notafter::domain::identity::CertRole;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::huawei::{Charset, Fault, Hang, Instance, Reset, Total, Where, WrongType};

use crate::support::{
    ELSEWHERE, OTHER_REGION, PROJECT, REGION, TEAM, Watch, beside_each_other, end, fleet, instance, scope,
};

/// Every odd answer, and the reason it must be given. `None`: nobody may notice.
fn odd_answers() -> Vec<(&'static str, Fault, Option<Reason>)> {
    let status = |status, json| Fault::Status { status, json };
    let custom = |status, kind: &str, body: &'static str| Fault::Custom {
        status,
        headers: vec![("content-type".into(), kind.to_owned())],
        body: Bytes::from_static(body.as_bytes()),
    };
    let unreadable = Some(Reason::Unreadable);
    vec![
        ("HTML with 200", Fault::Html { status: 200 }, unreadable),
        ("HTML with 502", Fault::Html { status: 502 }, Some(Reason::Unreachable)),
        ("HTML with 403", Fault::Html { status: 403 }, unreadable),
        (
            "XML where JSON is due",
            custom(200, "application/xml", "<Error><Code>x</Code></Error>"),
            unreadable,
        ),
        (
            "an error with 200",
            custom(200, "application/json", r#"{"error_code":"DCS.5000","error_msg":"x"}"#),
            Some(Reason::Refused),
        ),
        ("empty body", Fault::EmptyBody, unreadable),
        ("cut body", Fault::CutBody, unreadable),
        ("garbage", Fault::Garbage, unreadable),
        ("a list for the answer", Fault::WrongTypes(WrongType::ListForAnswer), unreadable),
        ("null everywhere", Fault::WrongTypes(WrongType::NullEverywhere), unreadable),
        ("endless", Fault::EndlessBody { gzip: false }, Some(Reason::TooLarge)),
        ("a gzip bomb", Fault::EndlessBody { gzip: true }, Some(Reason::TooLarge)),
        ("redirect", Fault::Redirect { to: "http://127.0.0.1:1/".into() }, unreadable),
        ("UTF-16", Fault::WrongCharset(Charset::Utf16), unreadable),
        ("no answer", Fault::Hang(Hang::NoAnswer), Some(Reason::Timeout)),
        ("a head without a body", Fault::Hang(Hang::HeadOnly), Some(Reason::Timeout)),
        ("a byte a second", Fault::Hang(Hang::Drip), Some(Reason::Timeout)),
        ("reset", Fault::Reset(Reset::BeforeAnswer), Some(Reason::Unreachable)),
        ("a kept connection is reset", Fault::Reset(Reset::KeptConnection), None),
        ("500 without a word", status(500, false), Some(Reason::Unreachable)),
        ("500 with JSON", status(500, true), Some(Reason::Refused)),
        ("503 without a word", status(503, false), Some(Reason::Unreachable)),
        ("503 with JSON", status(503, true), Some(Reason::Unreachable)),
        ("throttled", Fault::Throttle { retry_after_ms: Some(50) }, Some(Reason::Throttled)),
    ]
}

async fn watch_three() -> Watch {
    let mut fleet = fleet();
    for (id, project) in
        [("d-odd", PROJECT), ("d-well", PROJECT), ("d-elsewhere", ELSEWHERE), ("d-team", TEAM)]
    {
        fleet.insert(Instance { project: project.into(), ..instance(id) });
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch
}

#[tokio::test]
async fn an_odd_list_of_projects_leaves_an_account_blind_until_it_heals() {
    // At the start there is no kept connection.
    let seen = odd_answers().into_iter().filter_map(|(name, fault, want)| Some((name, fault, want?)));
    beside_each_other(seen.map(|(name, fault, want)| odd_projects(name, fault, want))).await;
}

async fn odd_projects(name: &'static str, fault: Fault, want: Reason) {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    let watch = Watch::upset(fleet, fault, Where::action("KeystoneListAuthProjects")).await;
    let failure = |s: &Snapshot| {
        let mut scopes = s.scopes.iter().filter(|(scope, _)| &*scope.account == "prod");
        scopes.find_map(|(_, view)| view.failure().map(|failure| failure.reason))
    };
    watch.until(name, |s| failure(s) == Some(want)).await;
    watch.cloud.clear_faults();
    watch.until("recovery", |s| end(s, "d-1", CertRole::Server).is_some()).await;
    watch.end().await;
}

#[tokio::test]
async fn rows_that_move_and_numbers_that_lie_remove_nothing() {
    let cases = [
        ("duplicate rows", Fault::DuplicateRows, None),
        ("vanishing rows", Fault::VanishingRows, Some(false)),
        ("a number too small", Fault::LyingTotals(Total::TooSmall), Some(true)),
        ("a number too large", Fault::LyingTotals(Total::TooLarge), Some(false)),
        ("no number", Fault::LyingTotals(Total::Absent), Some(true)),
        ("a negative number", Fault::LyingTotals(Total::Negative), Some(true)),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject), Some(false)),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString), None),
    ];
    beside_each_other(cases.into_iter().map(|(name, fault, up)| odd_rows(name, fault, up))).await;
}

async fn odd_rows(name: &'static str, fault: Fault, up: Option<bool>) {
    let mut fleet = fleet();
    fleet.page_cap = Some(50);
    for n in 0..120 {
        fleet.insert(instance(&format!("d-{n:03}")));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.cloud.inject(fault, Where { region: Some(REGION.into()), ..Where::action("ListInstances") }, None);
    let attempts = |snapshot: &Snapshot| scope(snapshot, "prod", PROJECT).attempted_at;
    let before = attempts(&watch.snapshot());
    let later = before.map(|at| at + TimeDelta::milliseconds(900));
    let seen = watch.until(name, |snapshot| attempts(snapshot) > later).await;
    let view = scope(&seen, "prod", PROJECT);
    let kept = view.resources.iter().filter(|resource| resource.id.starts_with("d-")).count();
    assert_eq!(kept, 120, "{name}");
    if let Some(up) = up {
        assert_eq!(view.is_up(), up, "{name}: {:?}", view.failure());
    }
    watch.end().await;
}

#[tokio::test]
async fn a_region_out_of_service_concerns_itself_alone() {
    let watch = watch_three().await;
    let refused = Fault::Custom {
        status: 404,
        headers: vec![],
        body: Bytes::from_static(br#"{"error_code":"APIGW.0101","error_msg":"The API does not exist"}"#),
    };
    watch.cloud.inject(refused, Where::region(OTHER_REGION), None);
    let seen = watch.until("a refusing region", |s| !scope(s, "prod", ELSEWHERE).is_up()).await;
    let failure = scope(&seen, "prod", ELSEWHERE).failure().cloned().expect("just seen");
    assert!(failure.text.contains("is the endpoint right?"), "{failure:?}");
    assert!(scope(&seen, "prod", PROJECT).is_up());
    assert_eq!(scope(&seen, "prod", ELSEWHERE).resources.len(), 1);
    watch.end().await;
}

#[tokio::test]
async fn a_clock_off_by_twenty_minutes_is_named_as_such() {
    let watch = watch_three().await;
    watch.cloud.set_clock_offset(TimeDelta::minutes(20));
    let told = |snapshot: &Snapshot| {
        let failure = scope(snapshot, "prod", PROJECT).failure().cloned();
        failure.is_some_and(|failure| {
            failure.reason == Reason::Denied && failure.text.contains("s behind the cloud's")
        })
    };
    let seen = watch.until("a clock that is off", told).await;
    assert_eq!(seen.resources().count(), 4);
    watch.end().await;
}
