//! Counters of renewals of one scope. They come to be when they are first needed: where nothing is renewed there is none.

use std::collections::HashMap;
use std::sync::OnceLock;

use prometheus::{IntCounter, Registry};

use super::series::{self, Labels, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED, Series};
use crate::domain::alert::message::RenewalFailure;
use crate::domain::identity::Scope;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::renewal::plan::Plan;
use crate::domain::renewal::refusal::Refusal;

/// Ways to fail, and the value of the label `reason`.
pub const FAILURES: [(RenewalFailure, &str); 6] = [
    (RenewalFailure::RefusedForNow, "refused_for_now"),
    (RenewalFailure::RefusedForAPerson, "refused_for_a_person"),
    (RenewalFailure::RefusedForGood, "refused_for_good"),
    (RenewalFailure::Later, "failed_later"),
    (RenewalFailure::WithoutEffect, "without_effect"),
    (RenewalFailure::Unknown, "unknown"),
];

/// How many ended, how many of them failed, and what was refused, by reason.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    total: OnceLock<IntCounter>,
    failed: [OnceLock<IntCounter>; FAILURES.len()],
    refused: Box<[OnceLock<IntCounter>]>,
}

impl Renewals {
    /// Nothing is on the page yet.
    pub(super) fn new() -> Self {
        Self { refused: Refusal::ALL.iter().map(|_| OnceLock::new()).collect(), ..Self::default() }
    }

    /// All of them, at 0.
    pub(super) fn preset(&self, registry: &Registry, scope: &Scope) {
        self.preset_ended(registry, scope);
        for why in Refusal::ALL {
            self.refusal(registry, scope, *why);
        }
    }

    /// One more ended.
    pub(super) fn add(&self, registry: &Registry, scope: &Scope) {
        self.preset_ended(registry, scope);
        self.total.get().into_iter().for_each(IntCounter::inc);
    }

    /// One more failed; [`Renewals::add`] counts it among all.
    pub(super) fn add_failed(&self, registry: &Registry, scope: &Scope, how: RenewalFailure) {
        self.preset_ended(registry, scope);
        let counters = FAILURES.iter().zip(&self.failed).filter(|((known, _), _)| *known == how);
        counters.filter_map(|(_, counter)| counter.get()).for_each(IntCounter::inc);
    }

    /// One more is refused.
    pub(super) fn add_refused(&self, registry: &Registry, scope: &Scope, why: Refusal) {
        self.refusal(registry, scope, why).into_iter().for_each(IntCounter::inc);
    }

    /// Takes all its series off the page.
    pub(super) fn leave(&self, registry: &Registry) {
        let all = self.failed.iter().chain(&self.refused).chain([&self.total]);
        all.filter_map(OnceLock::get).for_each(|counter| series::remove(registry, counter));
    }

    fn preset_ended(&self, registry: &Registry, scope: &Scope) {
        exist(&self.total, registry, RENEWALS, &scope.labels());
        for ((_, reason), counter) in FAILURES.iter().zip(&self.failed) {
            exist(counter, registry, RENEWALS_FAILED, &with_reason(scope, reason));
        }
    }

    fn refusal(&self, registry: &Registry, scope: &Scope, why: Refusal) -> Option<&IntCounter> {
        let place = Refusal::ALL.iter().position(|known| *known == why)?;
        let counter = self.refused.get(place)?;
        Some(exist(counter, registry, RENEWALS_REFUSED, &with_reason(scope, why.code())))
    }
}

fn exist<'c>(
    counter: &'c OnceLock<IntCounter>,
    registry: &Registry,
    series: Series,
    labels: Labels<'_>,
) -> &'c IntCounter {
    counter.get_or_init(|| series::counter(registry, series, labels))
}

fn with_reason<'l>(scope: &'l Scope, reason: &'l str) -> Vec<(&'static str, &'l str)> {
    scope.labels().into_iter().chain([("reason", reason)]).collect()
}

/// What is refused in a plan and was not, or for another reason, in the one before. That renewal is off is no news of any
/// resource.
pub(super) fn refused_since<'p>(
    before: &'p Plan,
    now: &'p Plan,
) -> impl Iterator<Item = (&'p ResourceKey, Refusal)> {
    let refused =
        |plan: &'p Plan| plan.steps.iter().filter_map(|step| Some((&step.resource, step.decision.why()?)));
    let known: HashMap<&ResourceKey, Refusal> = refused(before).collect();
    refused(now).filter(move |(resource, why)| {
        *why != Refusal::ModeOff && known.get(resource).is_none_or(|before| before != why)
    })
}
