//! What stands at the moment, for receivers that are told the whole state again and again (Alertmanager).
//!
//! No memory is needed: a stage was entered when its threshold was crossed, and what is no longer here has ended.

use chrono::{DateTime, TimeDelta, Utc};

use super::message::{CertificateFacts, Item};

/// The present state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What is wrong now. Only `News::Entered` and `SourceNews::Blind`.
    pub open: Vec<Open>,
    /// What was wrong a moment ago.
    pub ended: Vec<Ended>,
    /// The moment of this state.
    pub now: DateTime<Utc>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What.
    pub item: Item,
    /// Since when; never in the future.
    pub since: DateTime<Utc>,
}

/// Something that was wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// As it was told last.
    pub was: Open,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// The certificate as it is now; `None` if it is no longer there, or was none.
    pub now: Option<CertificateFacts>,
}

/// What ended is told for so long.
pub const TELL_ENDED: TimeDelta = TimeDelta::minutes(15);
