//! Silences: what people do not want to hear for a while. Kept in the store.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::Fingerprint;
use crate::domain::finding::Stage;
use crate::domain::matcher::{LabelSet, Matcher};

/// Something that a person does not want to hear of for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// `sil_` and a ULID.
    pub id: Box<str>,
    /// What it is about.
    pub about: About,
    /// From then on.
    pub starts_at: DateTime<Utc>,
    /// Until then.
    pub ends_at: DateTime<Utc>,
    /// Who wanted it.
    pub author: Box<str>,
    /// Why.
    pub comment: Box<str>,
    /// Also what is expired; otherwise that passes.
    pub include_expired: bool,
}

/// What a silence is about.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// Everything that an expression means.
    Matching(Matcher),
    /// One certificate, until it is in a deeper stage: somebody knows.
    Acknowledged {
        /// Which one.
        fingerprint: Fingerprint,
        /// A deeper one ends it.
        stage: Stage,
    },
}

/// A silence as the store and the API keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SilenceRow {
    /// See [`Silence`].
    pub id: Box<str>,
    /// Expression, unless one certificate is acknowledged.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matcher: Option<Box<str>>,
    /// The certificate that is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The stage up to which it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// From then on.
    pub starts_at: DateTime<Utc>,
    /// Until then.
    pub ends_at: DateTime<Utc>,
    /// Who wanted it.
    pub author: Box<str>,
    /// Why.
    pub comment: Box<str>,
    /// Also what is expired.
    #[serde(default)]
    pub include_expired: bool,
}

impl SilenceRow {
    /// As the decision sees it; `None` for one that says nothing it can understand.
    pub fn read(&self) -> Option<Silence> {
        let about = match (&self.matcher, self.fingerprint, self.stage) {
            (_, Some(fingerprint), Some(stage)) => About::Acknowledged { fingerprint, stage },
            (Some(text), None, _) => About::Matching(Matcher::parse(text, LabelSet::ALERT).ok()?),
            _ => return None,
        };
        Some(Silence {
            id: self.id.clone(),
            about,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            author: self.author.clone(),
            comment: self.comment.clone(),
            include_expired: self.include_expired,
        })
    }
}
