//! `/api/v1/notifications`: messages and what became of them, and what came of a test.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::cursor::{decode, encode};
use super::super::json::{List, Moment};
use super::super::query::{Given, LIMIT, is_not, limit, not_a_cursor};
use super::super::refusal::Refusal;
use crate::domain::alert::message::Item;
use crate::domain::alert::outbox::{Row, State};
use crate::notifier::desk::Tested;

/// So many resources of a message are named.
const NAMED: usize = 20;

/// What `/api/v1/notifications` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationsQuery {
    /// Only messages in these states.
    pub states: Vec<State>,
    /// The most items to answer with.
    pub limit: usize,
    /// Only what is older than this message.
    pub before: Option<(DateTime<Utc>, String)>,
}

impl NotificationsQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 3] = ["state", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            states: given.take("state", states).unwrap_or_else(|| State::ALL.to_vec()),
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            before: given.take("cursor", |text| decode(text).ok_or_else(not_a_cursor)),
        };
        given.finish(parsed)
    }
}

fn states(text: &str) -> Result<Vec<State>, String> {
    let possible = || format!("any of {} joined by commas", State::ALL.map(State::as_str).join(", "));
    let state = |word: &str| State::ALL.into_iter().find(|state| state.as_str() == word);
    text.split(',').map(|word| state(word).ok_or_else(|| is_not(word, possible()))).collect()
}

/// A message.
#[derive(Debug, Serialize)]
pub struct NotificationItem {
    id: String,
    channel: String,
    r#type: &'static str,
    route: Option<String>,
    at: Moment,
    state: &'static str,
    attempts: u32,
    next_at: Option<Moment>,
    settled_at: Option<Moment>,
    error: Option<String>,
    items: usize,
    resources: Vec<String>,
}

impl NotificationItem {
    fn new(row: &Row) -> Self {
        let message = &row.message;
        let waits = matches!(row.state, State::Queued | State::Sending);
        let resource = |item: &Item| match item {
            Item::Certificate(item) => Some(item.facts.resource_id.to_string()),
            Item::Renewal(item) => Some(item.facts.resource_id.to_string()),
            Item::Source(_) | Item::Channel(_) => None,
        };
        Self {
            id: message.id.to_string(),
            channel: message.channel.to_string(),
            r#type: message.type_name(),
            route: (!message.route.is_empty()).then(|| message.route.to_string()),
            at: Moment(message.at),
            state: row.state.as_str(),
            attempts: row.attempts,
            next_at: waits.then_some(Moment(row.next_at)),
            settled_at: row.settled_at.map(Moment),
            error: row.last_error.as_deref().map(str::to_owned),
            items: message.items.len() + message.left_out,
            resources: message.items.iter().filter_map(resource).take(NAMED).collect(),
        }
    }
}

/// A part of the list: of `limit` + 1 messages, the last only says that there are more.
pub fn notifications(mut rows: Vec<Row>, limit: usize) -> List<NotificationItem> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = |row: &Row| encode(&(row.message.at, &row.message.id));
    let next = rows.last().filter(|_| more).map(cursor);
    List { items: rows.iter().map(NotificationItem::new).collect(), next }
}

/// What came of a test message.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // named as the members, which the OpenAPI document explains
pub struct TestedItem {
    pub channel: String,
    pub r#type: String,
    pub place: String,
    pub delivered: bool,
    pub said: Option<String>,
    pub reason: Option<String>,
    pub error: Option<String>,
}

impl From<Tested> for TestedItem {
    fn from(tested: Tested) -> Self {
        let Tested { channel, type_name, place, outcome } = tested;
        let (said, trouble) = match outcome {
            Ok(said) => (Some(said), None),
            Err(trouble) => (None, Some(trouble)),
        };
        Self {
            channel: channel.into(),
            r#type: type_name.to_owned(),
            place: place.into(),
            delivered: trouble.is_none(),
            said,
            reason: trouble.as_ref().map(|trouble| trouble.reason.as_str().to_owned()),
            error: trouble.map(|trouble| trouble.text),
        }
    }
}
