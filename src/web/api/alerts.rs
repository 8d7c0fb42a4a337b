//! `/api/v1/alerts`: each certificate in a stage and each channel: what was told, by which route, and why nothing now.
//!
//! The judge that decides is asked (`domain::alert::board`); this walks the snapshot in its own order and leaves out what
//! is in no stage for anybody and nobody was told of.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::Serialize;

use super::super::context::PageContext;
use super::super::cursor::{decode, encode, parts, scope_of};
use super::super::json::{List, Moment};
use super::super::members::ScopeLabels;
use super::super::query::{Given, LIMIT, limit, matcher, not_a_cursor};
use super::super::refusal::Refusal;
use super::super::rows::{Row, encoded};
use crate::domain::alert::board::{Line, lines};
use crate::domain::alert::decide::World;
use crate::domain::alert::facts::fingerprint;
use crate::domain::alert::judge::{Hold, Verdict};
use crate::domain::alert::memory::{Memory, Told};
use crate::domain::identity::{CertRole, Scope};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::resource::{Resource, TlsState};
use crate::domain::snapshot::Snapshot;

/// What `/api/v1/alerts` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsQuery {
    matcher: Option<Matcher>,
    channel: Option<String>,
    limit: usize,
    after: Option<Place>,
}

/// A place in the list: scope, id, role and the channel's number in the configuration.
type Place = (Scope, String, CertRole, usize);

impl AlertsQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 4] = ["match", "channel", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            matcher: given.take("match", |text| matcher(text, LabelSet::CERTIFICATE)),
            channel: given.take("channel", |text| Ok(text.to_owned())),
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            after: given.take("cursor", |text| place_of(text).ok_or_else(not_a_cursor)),
        };
        given.finish(parsed)
    }
}

/// A certificate and a channel.
#[derive(Debug, Serialize)]
pub struct AlertItem {
    id: String,
    #[serde(flatten)]
    scope: OwnedLabels,
    resource_id: String,
    cert_role: &'static str,
    resource_name: Option<String>,
    fingerprint: String,
    not_after: Moment,
    channel: String,
    route: Option<String>,
    stage: &'static str,
    since: Option<Moment>,
    told: Option<ToldMember>,
    next_reminder: Option<Moment>,
    due: Option<&'static str>,
    hold: Option<HoldMember>,
}

/// What a channel was told last.
#[derive(Debug, Serialize)]
struct ToldMember {
    stage: &'static str,
    not_after: Moment,
    at: Moment,
}

/// Why nothing is told now.
#[derive(Debug, Serialize)]
struct HoldMember {
    code: &'static str,
    text: String,
}

/// The labels of a scope that outlive the snapshot.
#[derive(Debug)]
struct OwnedLabels(Arc<Scope>);

impl Serialize for OwnedLabels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ScopeLabels::new(&self.0).serialize(serializer)
    }
}

/// The alerts that were asked for, in the order of the snapshot.
pub fn alerts(
    world: &World<'_>,
    memory: &Memory,
    query: &AlertsQuery,
    context: &PageContext<'_>,
) -> List<AlertItem> {
    let walk = Walk { world, memory, query, context };
    let (mut items, mut next) = (Vec::new(), None);
    for (scope, resource) in walk.concerned(world.snapshot) {
        for (place, item) in walk.of_resource(scope, resource) {
            if items.len() == query.limit {
                return List { items, next };
            }
            next = Some(to_cursor(&place));
            items.push(item);
        }
    }
    List { items, next: None }
}

struct Walk<'a, 'c> {
    world: &'a World<'a>,
    memory: &'a Memory,
    query: &'a AlertsQuery,
    context: &'a PageContext<'c>,
}

impl<'a> Walk<'a, '_> {
    /// Resources behind the cursor that somebody may have to hear of: cheap questions only.
    fn concerned(&self, snapshot: &'a Snapshot) -> impl Iterator<Item = (&'a Arc<Scope>, &'a Arc<Resource>)> {
        let world = self.world;
        let loosest = TimeDelta::from_std(world.routing.loosest_info(world.alert)).unwrap_or(TimeDelta::MAX);
        let (memory, after) = (self.memory, self.query.after.as_ref());
        snapshot.resources().filter(move |(scope, resource)| {
            let behind = after.is_none_or(|(of, id, ..)| (&***scope, &*resource.id) >= (of, &**id));
            behind
                && resource.state() == TlsState::Enabled
                && resource.certificates().iter().any(|certificate| {
                    certificate.not_after - world.now <= loosest
                        || memory.certificates.contains_key(&fingerprint(
                            scope,
                            &resource.id,
                            certificate.role,
                        ))
                })
        })
    }

    fn of_resource(&self, scope: &Arc<Scope>, resource: &Resource) -> Vec<(Place, AlertItem)> {
        let mut found = Vec::new();
        for certificate in resource.certificates() {
            let row = Row { scope, resource, certificate: Some(certificate) };
            if self.query.matcher.as_ref().is_some_and(|matcher| !row.is(matcher, self.context)) {
                continue;
            }
            let lines = lines(self.world, self.memory, scope, resource, certificate);
            for (number, line) in lines.iter().enumerate().filter(|(_, line)| self.wants(line)) {
                let place = ((**scope).clone(), resource.id.to_string(), certificate.role, number);
                found.push((place, item(&row, scope, line)));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.retain(|(place, _)| self.query.after.as_ref().is_none_or(|after| place > after));
        found
    }

    fn wants(&self, line: &Line<'_>) -> bool {
        let asked = self.query.channel.as_deref().is_none_or(|channel| channel == &*line.channel.name);
        asked && !line.is_fine()
    }
}

fn item(row: &Row<'_>, scope: &Arc<Scope>, line: &Line<'_>) -> AlertItem {
    let certificate = row.certificate.expect("only rows with a certificate have lines");
    let (due, hold) = match &line.verdict {
        Verdict::Tell(tell) => (Some(tell.when.code()), None),
        Verdict::Settle(hold) | Verdict::Hold(hold) => (None, Some(hold_member(hold))),
    };
    let told = |told: Told| ToldMember {
        stage: told.stage.as_str(),
        not_after: Moment(told.not_after),
        at: Moment(told.at),
    };
    let name = &row.resource.facts.name;
    AlertItem {
        id: format!("{}/{}", row.id(), encoded(&line.channel.name)),
        scope: OwnedLabels(Arc::clone(scope)),
        resource_id: row.resource.id.to_string(),
        cert_role: certificate.role.as_str(),
        resource_name: (!name.is_empty()).then(|| name.to_string()),
        fingerprint: line.fingerprint.to_string(),
        not_after: Moment(certificate.not_after),
        channel: line.channel.name.to_string(),
        route: line.way.map(|way| way_name(way.number)),
        stage: line.stage.as_str(),
        since: line.since.map(Moment),
        told: line.told.map(told),
        next_reminder: line.next_reminder().map(Moment),
        due,
        hold,
    }
}

fn hold_member(hold: &Hold) -> HoldMember {
    HoldMember { code: hold.code(), text: hold.to_string() }
}

/// `route 2`, or `all` where there are no routes and everything goes everywhere.
fn way_name(number: Option<usize>) -> String {
    number.map_or_else(|| "all".to_owned(), |number| format!("route {number}"))
}

fn to_cursor((scope, id, role, number): &Place) -> String {
    encode(&(parts(scope), id, role.as_str(), number))
}

fn place_of(cursor: &str) -> Option<Place> {
    let (scope, id, role, number): ([String; 5], String, String, usize) = decode(cursor)?;
    let role = CertRole::ALL.into_iter().find(|known| known.as_str() == role)?;
    Some((scope_of(scope), id, role, number))
}
