//! `/api/v1/certificates` and `/api/v1/scopes`: what is known, for programs.
//!
//! The list of certificates has an item for each certificate, and one (with `cert_role` and all dates null) for each
//! resource that has none. Without `state=` it answers the question one has at night, "what can end?": every
//! certificate; resources with TLS on of which no date is known; and resources that were looked at without learning
//! their state, with the failure. Off and unsupported are left out, and so is what was discovered a moment ago and
//! not looked at yet. `state=` asks for exactly these states instead: `state=disabled` finds what speaks plain text,
//! `state=all` is the inventory. `within=` drops what has no date.
//!
//! What is not known is null, never an empty text. Names are as the clouds sent them: whoever shows them escapes them.

use chrono::{DateTime, Utc};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::finding::Stage;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::reason;
use crate::domain::resource::{Certificate, DateSource, ManagedBy, Tags, TlsState};
use crate::domain::snapshot::{ScopeView, Snapshot};

use super::context::PageContext;
use super::cursor::{Place, first, scope_to_cursor};
use super::json::{List, Moment};
use super::query::{CertificatesQuery, ScopesQuery};
use super::rows::{Row, rows, scope_id, scope_label};

/// Describes this API; a test holds it against what is really answered.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The certificates that were asked for.
pub fn certificates<'s>(
    snapshot: &'s Snapshot,
    query: &CertificatesQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> List<CertificateItem<'s>> {
    let after = query.after.as_ref().map(Place::key);
    let candidates = rows(snapshot)
        .map(|row| (query.sort.key(&row), row))
        .filter(|(key, _)| after.is_none_or(|after| *key > after))
        .filter(|(_, row)| is_asked_for(row, query, now, context));
    let (found, more) = first(candidates, query.limit);
    let next = found.last().filter(|_| more).map(|(key, _)| key.to_place(query.sort).to_cursor());
    List { items: found.iter().map(|(_, row)| CertificateItem::new(row, now, context)).collect(), next }
}

/// The scopes that were asked for, in their own order.
pub fn scopes<'s>(
    snapshot: &'s Snapshot,
    query: &ScopesQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> List<ScopeItem<'s>> {
    let mut found = snapshot
        .scopes
        .iter()
        .map(|(scope, view)| (&**scope, &**view))
        .filter(|(scope, _)| query.after.as_ref().is_none_or(|after| *scope > after))
        .filter(|(scope, _)| {
            query
                .matcher
                .as_ref()
                .is_none_or(|matcher| matcher.matches(&|label| scope_label(scope, label, context)))
        })
        .peekable();
    let mut items = Vec::new();
    let mut last = None;
    while let Some((scope, view)) = found.next_if(|_| items.len() < query.limit) {
        items.push(ScopeItem::new(scope, view, now, context));
        last = Some(scope);
    }
    let next = last.filter(|_| found.peek().is_some()).map(scope_to_cursor);
    List { items, next }
}

/// Cheap questions first: of 100,000 rows most fail one of them.
fn is_asked_for(
    row: &Row<'_>,
    query: &CertificatesQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> bool {
    let in_state = match &query.states {
        Some(states) => states.contains(&row.resource.state()),
        None => row.matters(),
    };
    let in_time = query.within.is_none_or(|within| {
        row.not_after().is_some_and(|end| (end - now).to_std().map_or(true, |l| l <= within))
    });
    let meant = || {
        let lookup = |label: &_| row.label(label, context);
        query.matcher.as_ref().is_none_or(|matcher| matcher.matches(&lookup))
    };
    in_state && in_time && meant()
}

/// A certificate, or a resource without one.
#[derive(Debug, Serialize)]
pub struct CertificateItem<'s> {
    id: String,
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
    managed_by: Option<&'static str>,
    renewal_required: Option<bool>,
    in_use: Option<bool>,
    used_by: &'s [Box<str>],
    last_seen: Option<Moment>,
    stale: bool,
    next_look: Option<Moment>,
    failure: Option<Failure<'s>>,
    owner: Option<&'s str>,
    tags: TagMap<'s>,
}

impl<'s> CertificateItem<'s> {
    fn new(row: &Row<'s>, now: DateTime<Utc>, context: &PageContext<'_>) -> Self {
        let Row { scope, resource, certificate } = *row;
        let reading = resource.reading.as_ref();
        let subject = certificate.map(|certificate| &certificate.subject);
        let end = row.not_after();
        Self {
            id: row.id(),
            scope: ScopeLabels::new(scope),
            resource_id: &resource.id,
            cert_role: row.role().map(CertRole::as_str),
            resource_name: known(&resource.facts.name),
            state: resource.state().as_str(),
            status: known(&resource.facts.status),
            engine: known(&resource.facts.engine),
            stage: row.stage(context, now).map(Stage::as_str),
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
            managed_by: reading.and_then(|reading| reading.managed_by).map(ManagedBy::as_str),
            renewal_required: reading.and_then(|reading| reading.renewal_required),
            in_use: resource.facts.in_use,
            used_by: &resource.facts.used_by,
            last_seen: row.last_seen().map(Moment),
            stale: context.is_stale(resource, now),
            next_look: context.next_look(resource).map(Moment),
            failure: resource.failure.as_deref().map(Failure::new),
            owner: context.owner(scope, resource),
            tags: TagMap(&resource.facts.tags),
        }
    }
}

/// A scope and how it fares.
#[derive(Debug, Serialize)]
pub struct ScopeItem<'s> {
    id: String,
    #[serde(flatten)]
    scope: ScopeLabels<'s>,
    up: bool,
    resources: Resources,
    attempted_at: Option<Moment>,
    listed_at: Option<Moment>,
    listing_took_seconds: Option<f64>,
    failure: Option<Failure<'s>>,
    look_failure: Option<Failure<'s>>,
}

impl<'s> ScopeItem<'s> {
    fn new(scope: &'s Scope, view: &'s ScopeView, now: DateTime<Utc>, context: &PageContext<'_>) -> Self {
        Self {
            id: scope_id(scope),
            scope: ScopeLabels::new(scope),
            up: view.is_up(),
            resources: Resources::new(view, now, context),
            attempted_at: view.attempted_at.map(Moment),
            listed_at: view.listed_at.map(Moment),
            listing_took_seconds: view.listing_took.map(|took| took.as_secs_f64()),
            failure: view.listing_failure.as_ref().map(Failure::new),
            look_failure: view.look_failure.as_ref().map(Failure::new),
        }
    }
}

/// How many resources a scope has: `discovered` is the sum of the four states, `stale` counts among them, `excluded`
/// beside them.
#[derive(Debug, Serialize)]
struct Resources {
    discovered: usize,
    enabled: usize,
    disabled: usize,
    unsupported: usize,
    unknown: usize,
    stale: usize,
    excluded: usize,
}

impl Resources {
    fn new(view: &ScopeView, now: DateTime<Utc>, context: &PageContext<'_>) -> Self {
        let stale = view.resources.iter().filter(|resource| context.is_stale(resource, now)).count();
        Self {
            discovered: view.resources.len(),
            enabled: view.counts.of(TlsState::Enabled),
            disabled: view.counts.of(TlsState::Disabled),
            unsupported: view.counts.of(TlsState::Unsupported),
            unknown: view.counts.of(TlsState::Unknown),
            stale,
            excluded: view.excluded,
        }
    }
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names)] // the names are those of the labels
struct ScopeLabels<'s> {
    cloud_provider: &'s str,
    cloud_account: &'s str,
    cloud_project: &'s str,
    cloud_region: &'s str,
    cloud_service: &'s str,
}

impl<'s> ScopeLabels<'s> {
    fn new(scope: &'s Scope) -> Self {
        Self {
            cloud_provider: &scope.provider,
            cloud_account: &scope.account,
            cloud_project: &scope.project,
            cloud_region: &scope.region,
            cloud_service: &scope.service,
        }
    }
}

#[derive(Debug, Serialize)]
struct Failure<'s> {
    reason: &'static str,
    text: &'s str,
    at: Moment,
}

impl<'s> Failure<'s> {
    fn new(failure: &'s reason::Failure) -> Self {
        Self { reason: failure.reason.as_str(), text: &failure.text, at: Moment(failure.at) }
    }
}

#[derive(Debug)]
struct TagMap<'s>(&'s Tags);

impl Serialize for TagMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(&**key, &**value)?;
        }
        map.end()
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
