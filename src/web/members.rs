//! Members that JSON objects share: those of the API, and those that `check --format json` prints.
//!
//! What is not known is null, never an empty text.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::finding::Stage;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::reason;
use crate::domain::resource::{Certificate, DateSource, ManagedBy};

use super::json::Moment;
use super::rows::Row;

/// Where something is.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names)] // the names are those of the labels
pub struct ScopeLabels<'s> {
    cloud_provider: &'s str,
    cloud_account: &'s str,
    cloud_project: &'s str,
    cloud_region: &'s str,
    cloud_service: &'s str,
}

impl<'s> ScopeLabels<'s> {
    /// Of a scope.
    pub fn new(scope: &'s Scope) -> Self {
        Self {
            cloud_provider: &scope.provider,
            cloud_account: &scope.account,
            cloud_project: &scope.project,
            cloud_region: &scope.region,
            cloud_service: &scope.service,
        }
    }
}

/// A certificate and its resource, as last read.
#[derive(Debug, Serialize)]
pub struct CertificateMembers<'s> {
    #[serde(flatten)]
    scope: ScopeLabels<'s>,
    resource_id: &'s str,
    cert_role: Option<&'static str>,
    resource_name: Option<&'s str>,
    state: &'static str,
    status: Option<&'s str>,
    engine: Option<&'s str>,
    stage: Option<&'static str>,
    not_after: Option<Moment>,
    not_after_unix: Option<i64>,
    seconds_left: Option<i64>,
    not_before: Option<Moment>,
    source: Option<&'static str>,
    other_not_after: Option<Moment>,
    dates_disagree: Option<bool>,
    common_name: Option<&'s str>,
    issuer: Option<&'s str>,
    serial: Option<&'s str>,
    sha256: Option<&'s str>,
    key: Option<&'s str>,
    names: &'s [Box<str>],
    managed_by: Option<&'static str>,
    renewal_required: Option<bool>,
    in_use: Option<bool>,
    used_by: &'s [Box<str>],
    last_seen: Option<Moment>,
}

impl<'s> CertificateMembers<'s> {
    /// Of a row, in the stage that whoever asks has for it.
    pub fn new(row: &Row<'s>, stage: Option<Stage>, now: DateTime<Utc>) -> Self {
        let Row { scope, resource, certificate } = *row;
        let reading = resource.reading.as_ref();
        let subject = certificate.map(|certificate| &certificate.subject);
        let end = row.not_after();
        Self {
            scope: ScopeLabels::new(scope),
            resource_id: &resource.id,
            cert_role: row.role().map(CertRole::as_str),
            resource_name: known(&resource.facts.name),
            state: resource.state().as_str(),
            status: known(&resource.facts.status),
            engine: known(&resource.facts.engine),
            stage: stage.map(Stage::as_str),
            not_after: end.map(Moment),
            not_after_unix: end.map(|end| end.timestamp()),
            seconds_left: end.map(|end| (end - now).num_seconds()),
            not_before: certificate.and_then(|certificate| certificate.not_before).map(Moment),
            source: certificate.map(|certificate| DateSource::as_str(certificate.source)),
            other_not_after: certificate.and_then(|certificate| certificate.other_not_after).map(Moment),
            dates_disagree: certificate.and_then(Certificate::dates_disagree),
            common_name: subject.and_then(|subject| known(&subject.common_name)),
            issuer: subject.and_then(|subject| known(&subject.issuer)),
            serial: subject.and_then(|subject| known(&subject.serial)),
            sha256: subject.and_then(|subject| known(&subject.sha256)),
            key: subject.and_then(|subject| known(&subject.key)),
            names: subject.map_or(&[], |subject| &subject.names),
            managed_by: reading.and_then(|reading| reading.managed_by).map(ManagedBy::as_str),
            renewal_required: reading.and_then(|reading| reading.renewal_required),
            in_use: resource.facts.in_use,
            used_by: &resource.facts.used_by,
            last_seen: row.last_seen().map(Moment),
        }
    }
}

/// Why something could not be read.
#[derive(Debug, Serialize)]
pub struct Failure<'s> {
    reason: &'static str,
    text: &'s str,
    at: Moment,
}

impl<'s> Failure<'s> {
    /// As it was told.
    pub fn new(failure: &'s reason::Failure) -> Self {
        Self { reason: failure.reason.as_str(), text: &failure.text, at: Moment(failure.at) }
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
