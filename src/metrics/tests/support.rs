//! Snapshots to show, and pages taken apart.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::{GzDecoder, MultiGzDecoder};

use crate::domain::alert::message::RenewalFailure;
use crate::domain::due::Backlog;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::listing::Inspection;
use crate::domain::reason::{Failure, Reason};
use crate::domain::renewal::attempt::{Attempt, AttemptKey, By, ResourceKey};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::plan::{self, Decision, Plan, Step, Target};
use crate::domain::renewal::refusal::Refusal;
use crate::domain::renewal::window::Span;
use crate::domain::resource::{Certificate, DateSource, ManagedBy, Reading, Subject, TlsState};
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::domain::testing::{certificate, listing, moment, reading, scope};
use crate::metrics::{
    ChannelNumbers, ConfigStatus, GzipPage, PlainPage, RateLimit, RenewalNumbers, Surroundings,
};
use crate::telemetry::Telemetry;

pub(super) fn surroundings() -> Surroundings {
    let telemetry = Telemetry::new();
    telemetry.preset_account("alibaba", "prod", &["DescribeInstances", "DescribeInstanceSSL"]);
    for millis in [20, 80, 80, 20_000] {
        telemetry.call("alibaba", "prod", "DescribeInstanceSSL", Duration::from_millis(millis));
    }
    telemetry.call_failed("alibaba", "prod", "DescribeInstanceSSL", Reason::Timeout);
    telemetry.preset_scope(&scope("redis"));
    telemetry.round(&scope("redis"));
    telemetry.round(&scope("rds"));
    telemetry.scope_error(&scope("rds"), Reason::Denied);
    for channel in ["dba", "订单"] {
        telemetry.preset_channel(channel);
    }
    telemetry.notification("dba");
    telemetry.notification_failed("dba", Reason::Throttled);
    telemetry.preset_heartbeat();
    telemetry.renewal_done(&scope("redis"));
    telemetry.renewal_failed(&scope("redis"), RenewalFailure::WithoutEffect);
    telemetry.renewal_refused(&scope("rds"), Refusal::OwnerUncertain);
    Surroundings {
        telemetry: Arc::new(telemetry),
        policy: Arc::default(),
        rate_limits: [rate_limit("DescribeInstanceSSL", 1.5), rate_limit("DescribeInstances", 3.0)].into(),
        config: ConfigStatus { successful: Some(true), read_at: Some(moment()) },
        store_up: Some(true),
        channels: [numbers("dba", Some(true)), numbers("订单", Some(false)), numbers("removed", None)].into(),
        renewals: RenewalNumbers::of(&board()).into(),
        started_at: moment() - TimeDelta::milliseconds(2500),
    }
}

/// One renewal under way.
pub(super) fn board() -> Board {
    let resource = ResourceKey::new(&scope("redis"), "tair-\"both\"");
    let key = AttemptKey { resource, not_after: moment() + TimeDelta::days(7) };
    let window = Span { begin: moment(), end: moment() + TimeDelta::hours(3) };
    let attempt = Attempt::new(key.clone(), 1, By::Rule, "", Some(window), moment());
    let attempt = attempt.stored("", moment() + TimeDelta::minutes(40), moment());
    let decision =
        Decision::Resume { attempt: Box::new(attempt.clone()), read: plan::Read::Settle, overdue: false };
    let step = Step {
        resource: key.resource,
        name: "".into(),
        certificate: Some(Target { role: CertRole::Server, not_after: key.not_after }),
        rule: None,
        call: None,
        planned: attempt.planned,
        decision,
    };
    let plan = Plan { steps: vec![step], ..Plan::default() };
    Board { plan: plan.into(), attempts: [attempt].into(), ..Board::default() }
}

fn numbers(name: &str, up: Option<bool>) -> ChannelNumbers {
    let last_success = up.filter(|up| *up).map(|_| moment());
    ChannelNumbers {
        name: name.into(),
        up,
        down: up.map(usize::from),
        last_success,
        queued: name.len(),
        dead: usize::from(up.is_none()),
    }
}

pub(super) fn rate_limit(action: &str, per_second: f64) -> RateLimit {
    RateLimit {
        provider: "alibaba".into(),
        account: "prod".into(),
        region: "cn-hangzhou".into(),
        action: action.into(),
        per_second,
    }
}

/// A resource in every state, a scope in every condition.
pub(super) fn snapshot_of_everything() -> Snapshot {
    let untried = Scope {
        provider: "huawei".into(),
        account: "hw \"east\"".into(),
        project: "p\\1".into(),
        region: "cn-north-4".into(),
        service: "dcs".into(),
    };
    let placeholder = Scope { region: "".into(), account: "denied".into(), ..scope("mongodb") };
    let scopes = [scope("redis"), scope("rds"), untried, placeholder.clone()].map(Arc::new);
    let mut snapshot = Snapshot::of_scopes(scopes.iter().cloned());
    fill(snapshot.scope_mut(&scopes[0]));
    fill_failing(snapshot.scope_mut(&scopes[1]));
    snapshot.scope_mut(&scopes[3]).listing_failed(failure(Reason::Denied));
    snapshot.backlog = Backlog { due: 7, lag: Duration::from_millis(1250) };
    snapshot
}

fn fill(view: &mut ScopeView) {
    let mut listed = listing(&["r-both", "r-expired", "r-off", "r-old", "r-unread", "r-without"]);
    listed.resources[0].facts.name = "orders \"eu\"\\\n订单".into();
    view.excluded = 2;
    view.absorb_listing(listed, Duration::from_micros(1_234_567), moment());
    let expired = reading(vec![certificate(moment() - TimeDelta::days(3))]);
    let old = Reading { at: moment() - TimeDelta::hours(9), ..reading(vec![certificate(moment())]) };
    let plain = |state| Reading { state, ..reading(vec![]) };
    for (id, reading) in [
        ("r-both", Reading { managed_by: Some(ManagedBy::Cloud), ..reading(both()) }),
        ("r-expired", expired),
        ("r-off", plain(TlsState::Disabled)),
        ("r-old", old),
        ("r-without", plain(TlsState::Unsupported)),
    ] {
        view.absorb_inspection(id, Inspection::Read(reading), moment());
    }
}

fn both() -> Vec<Certificate> {
    let ends = moment() + TimeDelta::days(90);
    let server = Certificate {
        not_before: Some(moment() - TimeDelta::days(275)),
        other_not_after: Some(ends + TimeDelta::days(2)),
        source: DateSource::X509,
        subject: Subject {
            common_name: "*.redis.rds.aliyuncs.com".into(),
            issuer: "CN=Test CA,O=\"Quoted, Inc.\"".into(),
            serial: "0a1b2c".into(),
            sha256: "ab".repeat(32).into(),
            key: "rsa-2048".into(),
            names: ["*.redis.rds.aliyuncs.com".into()].into(),
        },
        ..certificate(ends)
    };
    let ca = Certificate { role: CertRole::Ca, other_not_after: Some(ends), ..certificate(ends) };
    let later = certificate(ends + TimeDelta::days(1));
    vec![later, ca, server]
}

fn fill_failing(view: &mut ScopeView) {
    view.absorb_listing(listing(&["rm-1", "rm-2"]), Duration::from_secs(2), moment() - TimeDelta::hours(1));
    let ends = certificate(moment() + TimeDelta::milliseconds(1500));
    for (id, required) in [("rm-1", true), ("rm-2", false)] {
        let reading = Reading {
            renewal_required: Some(required),
            at: moment() - TimeDelta::milliseconds(250),
            managed_by: Some(ManagedBy::Customer),
            ..reading(vec![ends.clone()])
        };
        view.absorb_inspection(id, Inspection::Read(reading), moment());
    }
    view.listing_failed(failure(Reason::Denied));
}

pub(super) fn failure(reason: Reason) -> Failure {
    Failure { reason, text: "no permission".into(), at: moment() }
}

pub(super) fn plain(snapshot: &Snapshot, around: &Surroundings, now: DateTime<Utc>) -> String {
    let blocks = PlainPage::new(Arc::new(snapshot.clone()), around.clone(), around.telemetry.text(), now);
    String::from_utf8(blocks.flatten().collect()).expect("text")
}

/// Takes the gzip form apart twice: as one member with nothing behind it, and as readers do that allow several.
pub(super) fn inflated(page: GzipPage) -> String {
    let len = page.len();
    let bytes: Vec<u8> = page.into_blocks().flat_map(|block: Bytes| block).collect();
    assert_eq!(bytes.len() as u64, len, "the length that is announced");
    let (mut one, mut several) = (String::new(), String::new());
    let mut decoder = GzDecoder::new(&*bytes);
    decoder.read_to_string(&mut one).expect("a gzip member");
    assert!(decoder.into_inner().is_empty(), "nothing behind it");
    MultiGzDecoder::new(&*bytes).read_to_string(&mut several).expect("gzip");
    assert_eq!(one, several);
    one
}

/// What the kernel says of the process changes from one moment to the next.
pub(super) fn without_process(page: &str) -> String {
    page.split_inclusive('\n')
        .filter(|line| !line.starts_with("process_") && !line.starts_with("notafter_tasks "))
        .collect()
}

pub(super) fn samples(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| !line.starts_with('#'))
}

/// Name and label names of a line.
pub(super) fn sample(line: &str) -> (&str, Vec<&str>) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    assert!(value.parse::<f64>().is_ok(), "{line}");
    let Some((name, rest)) = series.split_once('{') else { return (series, vec![]) };
    let mut rest = rest.strip_suffix('}').expect("a closing brace");
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").expect("a label");
        labels.push(label);
        rest = behind_value(value).unwrap_or_else(|| panic!("an unfinished value: {line}"));
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name, labels)
}

fn behind_value(text: &str) -> Option<&str> {
    let mut bytes = text.bytes().enumerate();
    loop {
        match bytes.next()? {
            (_, b'\\') => assert!(matches!(bytes.next()?.1, b'\\' | b'"' | b'n'), "an escape: {text}"),
            (at, b'"') => return Some(&text[at + 1..]),
            _ => {}
        }
    }
}

/// Compares with a file of the repository; `UPDATE_EXPECT=1` writes it anew.
pub(super) fn expect_file(path: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&file, actual).expect("can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = actual.lines().zip(expected.lines()).find(|(actual, expected)| actual != expected);
    assert!(actual == expected, "{path} differs (UPDATE_EXPECT=1 writes it anew); first at {differs:#?}");
}
