//! The outbox: messages on their way. A row is written in the transaction that remembers that it was told; what becomes
//! of it afterwards is between the courier and the channel.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::Message;

/// A message on its way to its channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What to say, and where.
    pub message: Message,
    /// Where it is.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// Parts of it that the other side has already.
    pub parts_done: u32,
    /// Not before; of no meaning once it is settled.
    pub next_at: DateTime<Utc>,
    /// Why the last attempt failed, secrets removed.
    pub last_error: Option<Box<str>>,
    /// Of one attempt at least nobody knows whether it arrived.
    pub unanswered: bool,
    /// When it was settled: delivered, given up or overtaken.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Row {
    /// The other side has a part of it, or all, or may have: it stays by itself and keeps its id.
    pub fn may_have_arrived(&self) -> bool {
        self.parts_done > 0 || self.unanswered
    }
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its turn, or for another attempt.
    Queued,
    /// An attempt is under way. After a crash nobody knows whether it arrived: it is sent again, with the same id.
    Sending,
    /// The other side has it.
    Delivered,
    /// Given up. People can see it, and have it sent again.
    Dead,
    /// Not worth saying any more.
    Superseded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Sending, Self::Delivered, Self::Dead, Self::Superseded];

    /// The word used in the store, in labels and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Superseded => "superseded",
        }
    }
}

/// What became of an attempt, for the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// The other side has it; what it left behind is remembered for the channel.
    Delivered {
        /// Keys and values, see `notifier::Receipt::notes`.
        notes: Vec<(String, String)>,
    },
    /// Once more, later.
    Again {
        /// Not before.
        next_at: DateTime<Utc>,
        /// Why.
        error: Box<str>,
        /// No answer came: it may have arrived.
        unanswered: bool,
    },
    /// Given up.
    Dead {
        /// Why.
        error: Box<str>,
        /// No answer came to the last attempt: it may have arrived.
        unanswered: bool,
    },
    /// Overtaken by events.
    Superseded,
}
