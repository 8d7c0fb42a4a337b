//! A report for programs. Its members are those of the API.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Counts, Report, Row, Unread};
use crate::domain::reason::Reason;
use crate::visible::visible_json;
use crate::web::json::Moment;
use crate::web::members::{CertificateMembers, Failure, ScopeLabels};
use crate::web::rows;

#[derive(Serialize)]
struct Document<'s> {
    version: u32,
    checked_at: Moment,
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
struct Item<'s> {
    #[serde(flatten)]
    certificate: CertificateMembers<'s>,
    failure: Option<Failure<'s>>,
}

#[derive(Serialize)]
struct UnreadOut<'s> {
    #[serde(flatten)]
    scope: ScopeLabels<'s>,
    resource_id: Option<&'s str>,
    reason: Option<&'static str>,
    text: &'s str,
    at: Option<Moment>,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let document = Document {
        version: 1,
        checked_at: Moment(report.checked_at),
        verdict: report.verdict.as_str(),
        counts: counts(&report.counts),
        items: report.rows.iter().map(|row| item(row, report.checked_at)).collect(),
        failures: report.failures.iter().map(unread).collect(),
    };
    let json = serde_json::to_string_pretty(&document).expect("own structs with text keys always serialize");
    visible_json(json + "\n")
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

fn item<'s>(row: &Row<'s>, now: DateTime<Utc>) -> Item<'s> {
    let Row { scope, resource, certificate, stage, .. } = *row;
    let known = rows::Row { scope, resource, certificate: Some(certificate) };
    Item {
        certificate: CertificateMembers::new(&known, Some(stage), now),
        failure: resource.failure.as_deref().map(Failure::new),
    }
}

fn unread<'s>(unread: &Unread<'s>) -> UnreadOut<'s> {
    UnreadOut {
        scope: ScopeLabels::new(unread.scope),
        resource_id: unread.resource.map(|resource| &*resource.id),
        reason: unread.reason.map(Reason::as_str),
        text: unread.text,
        at: unread.at.map(Moment),
    }
}
