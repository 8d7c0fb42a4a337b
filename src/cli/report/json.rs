//! A report for programs. Field names are those of the API; what is not known is null, never an empty text.

use serde::Serialize;

use super::{Counts, Report, Row, Unread};
use crate::cli::text::{is_plain, rfc3339};
use crate::domain::identity::Scope;
use crate::domain::reason::{Failure, Reason};
use crate::domain::resource::{Certificate, DateSource, ManagedBy};

#[derive(Serialize)]
struct Document<'s> {
    version: u32,
    checked_at: String,
    verdict: &'static str,
    counts: CountsOut,
    items: Vec<Item<'s>>,
    failures: Vec<UnreadOut<'s>>,
}

#[derive(Serialize)]
struct CountsOut {
    certificates: usize,
    ok: usize,
    warning: usize,
    critical: usize,
    expired: usize,
    resources: usize,
    enabled: usize,
    disabled: usize,
    unsupported: usize,
    unknown: usize,
    resources_unreadable: usize,
    scopes: usize,
    scopes_unreadable: usize,
}

#[derive(Serialize)]
struct Identity<'s> {
    cloud_provider: &'s str,
    cloud_account: &'s str,
    cloud_project: &'s str,
    cloud_region: &'s str,
    cloud_service: &'s str,
    resource_id: Option<&'s str>,
}

#[derive(Serialize)]
struct Item<'s> {
    #[serde(flatten)]
    identity: Identity<'s>,
    cert_role: &'static str,
    resource_name: Option<&'s str>,
    state: &'static str,
    status: Option<&'s str>,
    engine: Option<&'s str>,
    stage: &'static str,
    not_after: String,
    not_after_unix: i64,
    seconds_left: i64,
    not_before: Option<String>,
    source: &'static str,
    other_not_after: Option<String>,
    dates_disagree: Option<bool>,
    common_name: Option<&'s str>,
    issuer: Option<&'s str>,
    serial: Option<&'s str>,
    sha256: Option<&'s str>,
    key: Option<&'s str>,
    managed_by: Option<&'static str>,
    renewal_required: Option<bool>,
    in_use: Option<bool>,
    last_seen: Option<String>,
    failure: Option<FailureOut<'s>>,
}

#[derive(Serialize)]
struct FailureOut<'s> {
    reason: &'static str,
    text: &'s str,
    at: String,
}

#[derive(Serialize)]
struct UnreadOut<'s> {
    #[serde(flatten)]
    identity: Identity<'s>,
    reason: Option<&'static str>,
    text: &'s str,
    at: Option<String>,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let document = Document {
        version: 1,
        checked_at: rfc3339(report.checked_at),
        verdict: report.verdict.as_str(),
        counts: counts(&report.counts),
        items: report.rows.iter().map(item).collect(),
        failures: report.failures.iter().map(unread).collect(),
    };
    let json = serde_json::to_string_pretty(&document).expect("own structs with text keys always serialize");
    visible(&json)
}

/// Writes what a terminal would obey as escapes. Such characters stand only inside of texts, so a program reads the
/// same value.
fn visible(json: &str) -> String {
    let mut visible = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        if character == '\n' || is_plain(character) {
            visible.push(character);
        } else {
            visible.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    visible.push('\n');
    visible
}

fn counts(counts: &Counts) -> CountsOut {
    CountsOut {
        certificates: counts.certificates(),
        ok: counts.ok,
        warning: counts.warning,
        critical: counts.critical,
        expired: counts.expired,
        resources: counts.resources(),
        enabled: counts.enabled,
        disabled: counts.disabled,
        unsupported: counts.unsupported,
        unknown: counts.unknown,
        resources_unreadable: counts.resources_unreadable,
        scopes: counts.scopes,
        scopes_unreadable: counts.scopes_unreadable,
    }
}

fn identity<'s>(scope: &'s Scope, resource_id: Option<&'s str>) -> Identity<'s> {
    Identity {
        cloud_provider: &scope.provider,
        cloud_account: &scope.account,
        cloud_project: &scope.project,
        cloud_region: &scope.region,
        cloud_service: &scope.service,
        resource_id,
    }
}

fn item<'s>(row: &Row<'s>) -> Item<'s> {
    let Row { scope, resource, certificate, left, stage } = *row;
    let reading = resource.reading.as_ref();
    let subject = &certificate.subject;
    Item {
        identity: identity(scope, Some(&resource.id)),
        cert_role: certificate.role.as_str(),
        resource_name: known(&resource.facts.name),
        state: resource.state().as_str(),
        status: known(&resource.facts.status),
        engine: known(&resource.facts.engine),
        stage: stage.as_str(),
        not_after: rfc3339(certificate.not_after),
        not_after_unix: certificate.not_after.timestamp(),
        seconds_left: left.num_seconds(),
        not_before: certificate.not_before.map(rfc3339),
        source: DateSource::as_str(certificate.source),
        other_not_after: certificate.other_not_after.map(rfc3339),
        dates_disagree: Certificate::dates_disagree(certificate),
        common_name: known(&subject.common_name),
        issuer: known(&subject.issuer),
        serial: known(&subject.serial),
        sha256: known(&subject.sha256),
        key: known(&subject.key),
        managed_by: reading.and_then(|reading| reading.managed_by).map(ManagedBy::as_str),
        renewal_required: reading.and_then(|reading| reading.renewal_required),
        in_use: resource.facts.in_use,
        last_seen: reading.map(|reading| rfc3339(reading.at)),
        failure: resource.failure.as_deref().map(failure),
    }
}

fn failure(failure: &Failure) -> FailureOut<'_> {
    FailureOut { reason: failure.reason.as_str(), text: &failure.text, at: rfc3339(failure.at) }
}

fn unread<'s>(unread: &Unread<'s>) -> UnreadOut<'s> {
    UnreadOut {
        identity: identity(unread.scope, unread.resource.map(|resource| &*resource.id)),
        reason: unread.reason.map(Reason::as_str),
        text: unread.text,
        at: unread.at.map(rfc3339),
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
