//! Counters that belong together: how many, and how many of them failed.

use prometheus::{IntCounter, Registry};

use super::series::{self, Labels, Series};
use crate::domain::reason::Reason;

/// How many, and how many of them failed for which reason. Each reason is there from the start, at 0.
#[derive(Debug)]
pub(super) struct Tally {
    total: IntCounter,
    failed: [IntCounter; Reason::ALL.len()],
}

impl Tally {
    /// At 0, and on the page from now on.
    pub(super) fn new(registry: &Registry, total: Series, failed: Series, labels: Labels<'_>) -> Self {
        let of = |reason: Reason| {
            series::counter(registry, failed, &[labels, &[("reason", reason.as_str())]].concat())
        };
        Self { total: series::counter(registry, total, labels), failed: Reason::ALL.map(of) }
    }

    /// One more.
    pub(super) fn add(&self) {
        self.total.inc();
    }

    /// One more that failed; [`Tally::add`] counts it among all.
    pub(super) fn add_failed(&self, reason: Reason) {
        self.failed[reason as usize].inc();
    }

    /// Takes all its series off the page.
    pub(super) fn leave(&self, registry: &Registry) {
        for counter in self.failed.iter().chain([&self.total]) {
            series::remove(registry, counter);
        }
    }
}
