//! A loop that carries out one order and nothing else: what the plan would announce, or begin for others, is left to the
//! daemon. What is under way is read, whoever began it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Renewals;
use crate::domain::renewal::attempt::Attempt;

/// What may be begun by a loop that has only its own orders.
#[derive(Debug)]
pub(super) struct OwnOrders {
    /// The resource that the orders are going to be about.
    resource_id: Box<str>,
    /// Attempts that were ordered at the desk of this loop.
    ordered: Mutex<BTreeSet<Box<str>>>,
}

impl OwnOrders {
    /// It was ordered here.
    pub(super) fn add(&self, attempt: &str) {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt.into());
    }

    /// Whether this one was ordered here.
    pub(super) fn has(&self, attempt: &str) -> bool {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner).contains(attempt)
    }

    /// Whether a plan may know of an attempt. One that was announced or approved for somebody else would take the place
    /// of ours in an account and in a day, and would never be begun here. What was sent counts, whoever ordered it.
    fn lets_see(&self, attempt: &Attempt) -> bool {
        let ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        !attempt.state.is_undecided()
            || ordered.contains(&attempt.id)
            || (ordered.is_empty() && attempt.key.resource.resource_id == self.resource_id)
    }
}

impl Renewals {
    /// The same, but nothing is announced, and nothing is begun but what is ordered at its own desk, which is going to be
    /// about the resource with this id. To be called before anything is made of this one.
    #[must_use]
    pub fn only_own_orders(mut self, resource_id: &str) -> Self {
        let own = OwnOrders { resource_id: resource_id.into(), ordered: Mutex::default() };
        std::sync::Arc::get_mut(&mut self.context).expect("nothing was made of it yet").own = Some(own);
        self
    }

    /// Whether this attempt may be begun here.
    pub(super) fn may_begin(&self, attempt: &str) -> bool {
        self.context.own.as_ref().is_none_or(|own| own.has(attempt))
    }

    /// The attempts that a plan may know of.
    pub(super) fn for_a_plan(&self, attempts: &[Attempt]) -> Vec<Attempt> {
        let lets_see = |attempt: &&Attempt| self.context.own.as_ref().is_none_or(|own| own.lets_see(attempt));
        attempts.iter().filter(lets_see).cloned().collect()
    }
}
