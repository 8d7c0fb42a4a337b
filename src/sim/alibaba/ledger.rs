//! What was called: the last calls one by one, those that change something without end, and all of them counted.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

use super::model::Text;
use super::product::Product;

/// How many calls are kept one by one.
const KEPT: usize = 10_000;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came, by the cloud's clock.
    pub at: DateTime<Utc>,
    /// The access key id that it claimed to come from.
    pub key_id: Text,
    /// The product, where the version was known.
    pub product: Option<Product>,
    /// Name of the call as sent.
    pub action: Cow<'static, str>,
    /// The region asked for or, for one instance, the region it is in; empty where neither is known.
    pub region: Text,
    /// The instance asked for.
    pub resource: Option<Text>,
    /// What came of it.
    pub outcome: Outcome,
    /// Of a call that changes something: every parameter, in the order in which it was sent. Empty otherwise.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a call that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Text,
    /// Its value; of a private key only the SHA-256 of it, in hexadecimal digits.
    pub value: Text,
    /// It came in the body, and not in the address, which is written down in many places.
    pub in_body: bool,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered.
    Answered,
    /// Answered with this error code.
    Refused(Cow<'static, str>),
    /// Met with an injected fault of this name.
    Faulted(&'static str),
}

/// How often a key made a call in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Answered.
    pub answered: u64,
    /// Answered with an error other than throttling.
    pub refused: u64,
    /// Refused because there were too many.
    pub throttled: u64,
    /// Met with an injected fault.
    pub faulted: u64,
}

impl Count {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.answered + self.refused + self.throttled + self.faulted
    }
}

/// Access key id, name of the call, region.
pub type CallKind = (Text, Cow<'static, str>, Text);

/// The memory of the calls.
#[derive(Default)]
pub(super) struct Ledger {
    last: VecDeque<Call>,
    changes: Vec<Call>,
    counts: BTreeMap<CallKind, Count>,
}

impl Ledger {
    /// Notes a call.
    pub(super) fn note(&mut self, call: Call, throttled: bool) {
        let kind = (call.key_id.clone(), call.action.clone(), call.region.clone());
        let count = self.counts.entry(kind).or_default();
        let counter = match &call.outcome {
            Outcome::Answered => &mut count.answered,
            Outcome::Refused(_) if throttled => &mut count.throttled,
            Outcome::Refused(_) => &mut count.refused,
            Outcome::Faulted(_) => &mut count.faulted,
        };
        *counter += 1;
        if !call.parameters.is_empty() {
            self.changes.push(call.clone());
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(call);
    }

    /// The last calls, oldest first.
    pub(super) fn last(&self) -> Vec<Call> {
        self.last.iter().cloned().collect()
    }

    /// Every call that changes something, oldest first.
    pub(super) fn changes(&self) -> Vec<Call> {
        self.changes.clone()
    }

    /// How often each call was made.
    pub(super) fn counts(&self) -> BTreeMap<CallKind, Count> {
        self.counts.clone()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
