//! A cloud on a bad day. For every odd answer: the right reason at the right place, last known values kept, others
//! untouched, and recovery by itself.

use chrono::TimeDelta;
use notafter::daemon::poll::Mode;
use notafter::domain::policy::PollPolicy;
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::alibaba::{Charset, Fault, Hang, Reset, Total, Where, WrongType};

use super::{end, ids, reason_of};
use crate::common::{beside_each_other, quick};
use crate::service::{Service, Spot, Watch, listing_often, patient};

/// A bad answer by its name.
type Bad = (&'static str, Fault);

fn custom(name: &'static str, status: u16, kind: &str, body: &'static str) -> Bad {
    let headers = vec![("content-type".into(), kind.to_owned())];
    (name, Fault::Custom { status, headers, body: body.into() })
}

/// What cannot be understood.
fn odd() -> Vec<Bad> {
    vec![
        ("HTML with 200", Fault::Html { status: 200 }),
        ("HTML with 403", Fault::Html { status: 403 }),
        ("an empty body", Fault::EmptyBody),
        ("a cut body", Fault::CutBody),
        ("garbage", Fault::Garbage),
        ("a list for the answer", Fault::WrongTypes(WrongType::ListForAnswer)),
        ("null everywhere", Fault::WrongTypes(WrongType::NullEverywhere)),
        ("a redirect", Fault::Redirect { to: "http://127.0.0.1:1/".into() }),
        ("UTF-16", Fault::WrongCharset(Charset::Utf16)),
        custom("XML", 200, "application/xml", "<?xml version='1.0'?><Error><Code>x</Code></Error>"),
        custom("a number", 200, "application/json", "7"),
        custom("half a document", 200, "application/json", r#"{"RetCode":0,"RequestId":"#),
    ]
}

pub(super) async fn unreadable(service: &'static Service) {
    fail_alone_and_heal(service, odd(), Reason::Unreadable).await;
}

fn status(status: u16, json: bool) -> Fault {
    Fault::Status { status, json }
}

pub(super) async fn unreachable(service: &'static Service) {
    let cases = vec![
        ("a reset", Fault::Reset(Reset::BeforeAnswer)),
        ("500 without a word", status(500, false)),
        ("503 without a word", status(503, false)),
        ("HTML with 502", Fault::Html { status: 502 }),
    ];
    fail_alone_and_heal(service, cases, Reason::Unreachable).await;
}

pub(super) async fn timeout(service: &'static Service) {
    let cases = vec![
        ("no answer", Fault::Hang(Hang::NoAnswer)),
        ("a head without a body", Fault::Hang(Hang::HeadOnly)),
        ("a byte a second", Fault::Hang(Hang::Drip)),
    ];
    fail_alone_and_heal(service, cases, Reason::Timeout).await;
}

pub(super) async fn too_large(service: &'static Service) {
    let cases = vec![
        ("an endless body", Fault::EndlessBody { gzip: false }),
        ("a gzip bomb", Fault::EndlessBody { gzip: true }),
    ];
    fail_alone_and_heal(service, cases, Reason::TooLarge).await;
}

pub(super) async fn throttled(service: &'static Service) {
    let cases = vec![("too many calls", Fault::Throttle { retry_after_ms: Some(50) })];
    fail_alone_and_heal(service, cases, Reason::Throttled).await;
}

pub(super) async fn refused_by_the_server(service: &'static Service) {
    fail_alone_and_heal(service, vec![("500 in the cloud's words", status(500, true))], service.own_500)
        .await;
}

/// What the cloud or the network may do without anybody being told.
pub(super) async fn not_worth_noticing(service: &'static Service) {
    let watch = service.watched(patient(), &["res-1", "res-2"]).await;
    for (name, fault) in [
        ("a kept connection is reset", Fault::Reset(Reset::KeptConnection)),
        ("GBK in a text that nobody reads", Fault::WrongCharset(Charset::Gbk)),
    ] {
        // An answer that is no UTF-8 in a text that is read may count as unreadable: only listings of plain names.
        watch.cloud.inject(fault, service.listing_at(Spot::Home), None);
        let listed = |s: &Snapshot| service.scope(s, Spot::Home).listed_at;
        let later = listed(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(900));
        let seen = watch.until(name, |s| listed(s) > later).await;
        assert!(service.scope(&seen, Spot::Home).is_up(), "{name}");
        watch.cloud.clear_faults();
    }
    watch.end().await;
}

/// Only where nothing comes is it waited for; otherwise a busy machine must not turn one reason into another.
fn policy_for(want: Reason) -> PollPolicy {
    if want == Reason::Timeout { quick() } else { patient() }
}

/// Each of these on single resources and on whole listings.
async fn fail_alone_and_heal(service: &'static Service, cases: Vec<Bad>, want: Reason) {
    odd_details(service, &cases, want).await;
    let listings: Vec<_> = cases.into_iter().map(|case| odd_listing(service, case, want)).collect();
    beside_each_other(listings).await;
}

/// One resource for each case, and more that are well: where most of a place fail, the place does. Where there is no call for one resource, there is nothing to spoil.
async fn odd_details(service: &'static Service, cases: &[Bad], want: Reason) {
    let Some(detail) = service.detail else { return };
    let names: Vec<String> = (0..cases.len()).map(|n| format!("res-odd-{n}")).collect();
    let well = (0..cases.len()).map(|n| format!("res-well-{n}"));
    let all: Vec<String> = names.iter().cloned().chain(well).chain(["res-well".to_owned()]).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let watch = service.watched(policy_for(want), &all).await;
    let before = watch.snapshot();
    for (name, (_, fault)) in names.iter().zip(cases) {
        let place = Where { resource: Some(name.clone()), ..Where::action(detail.name) };
        watch.cloud.inject(fault.clone(), place, None);
    }
    for (id, (name, _)) in names.iter().zip(cases) {
        let what = format!("detail: {name}: {want:?}");
        let seen = watch.until(&what, |s| reason_of(s, id) == Some(want)).await;
        assert_eq!(end(&seen, id), end(&before, id), "detail: {name}: the last known end stays");
    }
    let well =
        |s: &Snapshot| ["res-well", "res-elsewhere", "res-other"].iter().all(|id| reason_of(s, id).is_none());
    watch.until("detail: the others have nothing to do with it", well).await;
    let up = |s: &Snapshot| Spot::ALL.iter().all(|spot| service.scope(s, *spot).is_up());
    watch.until("detail: listings go on", up).await;
    watch.cloud.clear_faults();
    let well = |s: &Snapshot| s.resources().all(|(_, resource)| resource.failure.is_none());
    watch.until("detail: recovery", well).await;
    watch.end().await;
}

async fn odd_listing(service: &'static Service, (name, fault): Bad, want: Reason) {
    let watch = service.watched(policy_for(want), &["res-1", "res-2"]).await;
    let before = watch.snapshot();
    watch.cloud.inject(fault, service.listing_at(Spot::Home), None);
    let what = format!("listing: {name}: {want:?}");
    let seen = watch.until(&what, |s| failure_at_home(service, s) == Some(want)).await;
    for id in ["res-1", "res-2", "res-elsewhere", "res-other"] {
        assert!(end(&seen, id).is_some(), "listing: {name}: {id} stays");
        assert_eq!(end(&seen, id), end(&before, id), "listing: {name}: the end of {id} stays");
    }
    let other = |s: &Snapshot| service.scope(s, Spot::Other).is_up();
    watch.until(&format!("listing: {name}: another account"), other).await;
    // Where one gateway takes the calls of an account for all regions, all of them wait when it says so.
    if want != Reason::Throttled {
        watch.until(&what, |s| service.scope(s, Spot::Elsewhere).is_up()).await;
    }
    heals(service, &watch, name).await;
    watch.end().await;
}

fn failure_at_home(service: &Service, snapshot: &Snapshot) -> Option<Reason> {
    service.scope(snapshot, Spot::Home).failure().map(|failure| failure.reason)
}

async fn heals(service: &Service, watch: &Watch, name: &str) {
    watch.cloud.clear_faults();
    let well = |s: &Snapshot| {
        let fresh = s.resources().all(|(_, resource)| resource.failure.is_none());
        fresh && service.scope(s, Spot::Home).is_up()
    };
    watch.until(&format!("{name}: recovery"), well).await;
}

/// One after the other in the life of one daemon: nothing is left over from the one before.
pub(super) async fn recovery_after_each(service: &'static Service) {
    let watch = service.watched(quick(), &["res-1", "res-2"]).await;
    let before = watch.snapshot();
    let place = Where { key: Some(service.place(Spot::Home).key.into()), ..Where::default() };
    for (name, fault) in [
        ("unreachable", Fault::Reset(Reset::BeforeAnswer)),
        ("unreadable", Fault::Garbage),
        ("too large", Fault::EndlessBody { gzip: true }),
        ("an own error", status(500, true)),
        ("throttled", Fault::Throttle { retry_after_ms: Some(50) }),
        ("a timeout", Fault::Hang(Hang::NoAnswer)),
    ] {
        watch.cloud.inject(fault, place.clone(), None);
        let seen = watch.until(name, |s| failure_at_home(service, s).is_some()).await;
        assert_eq!(end(&seen, "res-1"), end(&before, "res-1"), "{name}: the last known end stays");
        heals(service, &watch, name).await;
    }
    watch.end().await;
}

/// Rows that move, totals that lie, types that are wrong somewhere: over three pages, nothing is removed.
pub(super) async fn nothing_removed_by_a_bad_answer(service: &'static Service) {
    let cases = [
        ("duplicate rows", Fault::DuplicateRows),
        ("vanishing rows", Fault::VanishingRows),
        ("a total too small", Fault::LyingTotals(Total::TooSmall)),
        ("a total too large", Fault::LyingTotals(Total::TooLarge)),
        ("no total", Fault::LyingTotals(Total::Absent)),
        ("a negative total", Fault::LyingTotals(Total::Negative)),
        ("a list for an object", Fault::WrongTypes(WrongType::ListForObject)),
        ("a number for a text", Fault::WrongTypes(WrongType::NumberForString)),
        ("null for everything", Fault::WrongTypes(WrongType::NullEverywhere)),
        ("a token that loops", Fault::NextTokenLoop),
        ("numbers as text", Fault::TextCodes),
        ("other names", Fault::LowercaseKeys),
    ];
    let count = service.three_pages;
    let cloud = service.cloud(ids(count)).await;
    cloud.short_pages();
    let watch = service.watch(cloud, listing_often(), Mode::Continuous);
    watch.until("all of them", |s| ids(count).all(|id| end(s, &id).is_some())).await;
    for (name, fault) in cases {
        watch.cloud.inject(fault, service.listing_at(Spot::Home), None);
        let attempted = |s: &Snapshot| service.scope(s, Spot::Home).attempted_at;
        let later = attempted(&watch.snapshot()).map(|at| at + TimeDelta::milliseconds(500));
        let seen = watch.until(name, |s| attempted(s) > later).await;
        let kept = ids(count).filter(|id| end(&seen, id).is_some()).count();
        assert_eq!(kept, count, "{name}: nothing is removed");
        watch.cloud.clear_faults();
    }
    watch.until("recovery", |s| service.scope(s, Spot::Home).is_up()).await;
    watch.end().await;
}
