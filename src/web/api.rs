//! `/api/v1/certificates` and `/api/v1/scopes`: what is known, for programs. What is told of it is in the modules below.
//!
//! The list of certificates has an item for each certificate, and one (with `cert_role` and all dates null) for each
//! resource that has none. Without `state=` it answers the question one has at night, "what can end?": every
//! certificate; resources with TLS on of which no date is known; and resources that were looked at without learning
//! their state, with the failure. Off and unsupported are left out, and so is what was discovered a moment ago and
//! not looked at yet. `state=` asks for exactly these states instead: `state=disabled` finds what speaks plain text,
//! `state=all` is the inventory. `within=` drops what has no date.
//!
//! What is not known is null, never an empty text. Names are as the clouds sent them: whoever shows them escapes them.

pub mod alerts;
pub mod log_level;
pub mod notifications;
pub mod reload;
pub mod renewals;
pub mod silences;
pub mod status;

use chrono::{DateTime, Utc};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::identity::Scope;
use crate::domain::resource::{Tags, TlsState};
use crate::domain::snapshot::{ScopeView, Snapshot};

use super::context::PageContext;
use super::cursor::{Place, Sort, first, scope_to_cursor};
use super::json::{List, Moment};
use super::members::{CertificateMembers, Failure, ScopeLabels};
use super::query::{CertificatesQuery, ScopesQuery};
use super::rows::{Row, rows, scope_id, scope_is};

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
        .filter(|(scope, _)| query.matcher.as_ref().is_none_or(|matcher| scope_is(scope, matcher, context)))
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

/// The rows that are wanted, what ends first; never more than `limit`.
pub(super) fn first_certificates(
    snapshot: &Snapshot,
    limit: usize,
    wanted: impl Fn(&Row<'_>) -> bool,
) -> Vec<Row<'_>> {
    let candidates = rows(snapshot).filter(|row| wanted(row)).map(|row| (Sort::NotAfter.key(&row), row));
    first(candidates, limit).0.into_iter().map(|(_, row)| row).collect()
}

/// Cheap questions first: of 100,000 rows most fail one of them.
pub(super) fn is_asked_for(
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
    let meant = || query.matcher.as_ref().is_none_or(|matcher| row.is(matcher, context));
    in_state && in_time && meant()
}

/// A certificate, or a resource without one.
#[derive(Debug, Serialize)]
pub struct CertificateItem<'s> {
    id: String,
    #[serde(flatten)]
    members: CertificateMembers<'s>,
    stale: bool,
    next_look: Option<Moment>,
    failure: Option<Failure<'s>>,
    owner: Option<&'s str>,
    tags: TagMap<'s>,
}

impl<'s> CertificateItem<'s> {
    fn new(row: &Row<'s>, now: DateTime<Utc>, context: &PageContext<'_>) -> Self {
        let Row { scope, resource, .. } = *row;
        Self {
            id: row.id(),
            members: CertificateMembers::new(row, row.stage(context, now), now),
            stale: resource.is_stale(context.poll, now),
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
        Self {
            discovered: view.resources.len(),
            enabled: view.counts.of(TlsState::Enabled),
            disabled: view.counts.of(TlsState::Disabled),
            unsupported: view.counts.of(TlsState::Unsupported),
            unknown: view.counts.of(TlsState::Unknown),
            stale: view.stale(context.poll, now),
            excluded: view.excluded,
        }
    }
}

#[derive(Debug)]
struct TagMap<'s>(&'s Tags);

impl Serialize for TagMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0.iter() {
            map.serialize_entry(&**key, &**value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
