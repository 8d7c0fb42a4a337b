//! `/api/v1/silences`: what people do not want to hear for a while.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::cursor::{decode, encode};
use super::super::json::{List, Moment};
use super::super::query::{Given, LIMIT, is_not, limit, not_a_cursor};
use super::super::refusal::Refusal;
use crate::domain::alert::message::Fingerprint;
use crate::domain::alert::silence::SilenceRow;
use crate::domain::finding::Stage;
use crate::domain::matcher::{LabelSet, Matcher, MatcherError};
use crate::visible::shortened;

/// Authors and comments are no longer, in characters.
const LONGEST: usize = 1000;

/// Whether a silence holds, as the API calls it.
const STATES: [&str; 3] = ["pending", "active", "ended"];

/// What `/api/v1/silences` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilencesQuery {
    states: Vec<&'static str>,
    limit: usize,
    after: Option<String>,
}

impl SilencesQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 3] = ["state", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            states: given.take("state", states).unwrap_or_else(|| STATES[..2].to_vec()),
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            after: given.take("cursor", |text| decode(text).ok_or_else(not_a_cursor)),
        };
        given.finish(parsed)
    }
}

fn states(text: &str) -> Result<Vec<&'static str>, String> {
    let possible = || format!("any of {} joined by commas", STATES.join(", "));
    let state = |word: &str| STATES.into_iter().find(|state| *state == word);
    text.split(',').map(|word| state(word).ok_or_else(|| is_not(word, possible()))).collect()
}

/// A silence.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)] // named as the members, which the OpenAPI document explains
pub struct SilenceItem {
    pub id: String,
    pub state: String,
    #[serde(rename = "match")]
    pub matcher: Option<String>,
    pub fingerprint: Option<Fingerprint>,
    pub stage: Option<Stage>,
    pub starts_at: Moment,
    pub ends_at: Moment,
    pub author: String,
    pub comment: String,
    pub include_expired: bool,
}

impl SilenceItem {
    /// A silence as of now.
    pub fn new(row: &SilenceRow, now: DateTime<Utc>) -> Self {
        Self {
            id: row.id.to_string(),
            state: state_of(row, now).to_owned(),
            matcher: row.matcher.as_deref().map(str::to_owned),
            fingerprint: row.fingerprint,
            stage: row.stage,
            starts_at: Moment(row.starts_at),
            ends_at: Moment(row.ends_at),
            author: row.author.to_string(),
            comment: row.comment.to_string(),
            include_expired: row.include_expired,
        }
    }
}

/// `pending`, `active` or `ended`.
pub fn state_of(row: &SilenceRow, now: DateTime<Utc>) -> &'static str {
    match () {
        () if now >= row.ends_at => STATES[2],
        () if now >= row.starts_at => STATES[1],
        () => STATES[0],
    }
}

/// The silences that were asked for, by id, which is by the time they were made.
pub fn silences(mut rows: Vec<SilenceRow>, query: &SilencesQuery, now: DateTime<Utc>) -> List<SilenceItem> {
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let behind = |row: &SilenceRow| query.after.as_ref().is_none_or(|after| *row.id > **after);
    rows.retain(|row| behind(row) && query.states.contains(&state_of(row, now)));
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let next = rows.last().filter(|_| more).map(|row| encode(&row.id));
    List { items: rows.iter().map(|row| SilenceItem::new(row, now)).collect(), next }
}

/// A silence that somebody wants.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // see `SilenceItem`
pub struct NewSilence {
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matcher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    pub author: String,
    pub comment: String,
    pub include_expired: bool,
}

/// Expression, fingerprint, stage.
type AboutMembers = (Option<Box<str>>, Option<Fingerprint>, Option<Stage>);

impl NewSilence {
    /// As it is kept, or what is wrong with it.
    pub fn into_row(self, id: Box<str>, now: DateTime<Utc>) -> Result<SilenceRow, String> {
        let (matcher, fingerprint, stage) = self.about()?;
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = self.ends_at.ok_or("`ends_at` is missing: a silence ends at some time")?;
        if ends_at <= starts_at || ends_at <= now {
            return Err("`ends_at` must be later than now and than `starts_at`".to_owned());
        }
        for (name, text) in [("author", &self.author), ("comment", &self.comment)] {
            if text.chars().count() > LONGEST {
                return Err(format!("`{name}` is longer than {LONGEST} characters"));
            }
        }
        let (author, comment) = (self.author.into(), self.comment.into());
        let include_expired = self.include_expired;
        Ok(SilenceRow {
            id,
            matcher,
            fingerprint,
            stage,
            starts_at,
            ends_at,
            author,
            comment,
            include_expired,
        })
    }

    fn about(&self) -> Result<AboutMembers, String> {
        match (&self.matcher, &self.fingerprint, self.stage) {
            (Some(text), None, None) => {
                let parsed = Matcher::parse_foreign(text, LabelSet::ALERT);
                let wrong = |error: MatcherError| format!("`match` {error}: {}", error.hint);
                parsed.map_err(|error| shortened(&wrong(error), 600).into_owned())?;
                Ok((Some(text.as_str().into()), None, None))
            }
            (None, Some(fingerprint), Some(stage)) => {
                let known = fingerprint.parse().ok().filter(|_| fingerprint.len() == 16);
                let known = known.ok_or("`fingerprint` is not one of those in /api/v1/alerts: 16 hexadecimal digits")?;
                Ok((None, Some(known), Some(stage)))
            }
            _ => Err("give either `match` (an expression), or `fingerprint` and `stage` to acknowledge one certificate \
                      up to that stage"
                .to_owned()),
        }
    }
}
