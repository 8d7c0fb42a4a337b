//! What is known of renewals at one moment: made by the renewal loop, read by page, API, metrics page and alerts.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::attempt::Attempt;
use super::note::Notes;
use super::plan::Plan;
use crate::domain::policy::RenewalMode;

/// What is known of renewals.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// How far renewal may go.
    pub mode: RenewalMode,
    /// The last plan.
    pub plan: Arc<Plan>,
    /// The attempts that it was made of, the latest first.
    pub attempts: Arc<[Attempt]>,
    /// What alerts say about it.
    pub notes: Arc<Notes>,
    /// When the plan was made; `None`: not yet.
    pub at: Option<DateTime<Utc>>,
    /// Why nothing is begun at all, whatever the plan says: the store cannot be used, for example.
    pub trouble: Option<Box<str>>,
}

impl Board {
    /// The attempt with this id.
    pub fn attempt(&self, id: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| *attempt.id == *id)
    }
}
