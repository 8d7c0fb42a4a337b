//! The memory of the calls.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

/// How many calls are kept.
const KEPT: usize = 10_000;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came, by the cloud's clock.
    pub at: DateTime<Utc>,
    /// The public key that it claimed to come from.
    pub key_id: String,
    /// Name of the call as sent.
    pub action: String,
    /// The region asked for.
    pub region: String,
    /// The project asked for.
    pub project: String,
    /// The entry asked for.
    pub resource: String,
    /// Rows to pass over.
    pub offset: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Answered,
    /// Answered with this `RetCode`.
    Refused(u32),
    /// Met with an injected fault of this name.
    Faulted(&'static str),
}

/// The last calls.
#[derive(Default)]
pub(super) struct Ledger(VecDeque<Call>);

impl Ledger {
    /// Notes a call.
    pub(super) fn note(&mut self, call: Call) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    /// The last calls, oldest first.
    pub(super) fn last(&self) -> Vec<Call> {
        self.0.iter().cloned().collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
