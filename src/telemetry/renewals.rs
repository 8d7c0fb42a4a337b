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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::renewal::plan::{Decision, Step};
    use crate::domain::testing::scope;
    use crate::telemetry::Telemetry;
    use crate::telemetry::tests::{counted, samples};

    #[test]
    fn renewals_begin_at_zero_and_count_by_reason() {
        let telemetry = Telemetry::new();
        telemetry.preset_renewals(&scope("redis"));
        let all = [RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED];
        let here = all.map(|series| samples(&telemetry, series));
        assert_eq!(here, [1, FAILURES.len(), Refusal::ALL.len()]);
        for (n, (how, _)) in FAILURES.into_iter().enumerate() {
            for _ in 0..=n {
                telemetry.renewal_done(&scope("redis"));
                telemetry.renewal_failed(&scope("redis"), how);
            }
        }
        for (n, why) in Refusal::ALL.iter().enumerate() {
            (0..=n).for_each(|_| telemetry.renewal_refused(&scope("redis"), *why));
        }
        let words: Vec<_> = FAILURES.iter().map(|(_, word)| *word).collect();
        let codes: Vec<_> = Refusal::ALL.iter().map(|why| why.code()).collect();
        for (series, reasons) in [(RENEWALS_FAILED, words), (RENEWALS_REFUSED, codes)] {
            let seen = counted(&telemetry, series);
            for (n, reason) in reasons.iter().enumerate() {
                let end = format!(r#",reason="{reason}"}} {}"#, n + 1);
                assert_eq!(seen.iter().filter(|line| line.ends_with(&end)).count(), 1, "{end}");
            }
        }
        assert!(counted(&telemetry, RENEWALS)[0].ends_with("} 21"));
        telemetry.forget_scope(&scope("redis"));
        assert_eq!(all.map(|series| samples(&telemetry, series)), [0, 0, 0]);
    }

    #[test]
    fn a_refusal_alone_makes_no_other_counter() {
        let telemetry = Telemetry::new();
        telemetry.renewal_refused(&scope("redis"), Refusal::NotAllowed);
        let here = [RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED].map(|series| samples(&telemetry, series));
        assert_eq!(here, [0, 0, 1]);
    }

    #[test]
    fn a_refusal_counts_when_it_begins() {
        let telemetry = Telemetry::new();
        let plan = |refused: &[(&str, Refusal)]| {
            let steps = refused.iter().map(|(id, why)| Step {
                resource: ResourceKey::new(&scope("redis"), id),
                name: "".into(),
                certificate: None,
                rule: None,
                call: None,
                planned: None,
                decision: Decision::Refuse { why: *why, detail: "".into() },
            });
            Plan { steps: steps.collect(), ..Plan::default() }
        };
        let plans = [
            plan(&[]),
            plan(&[("r-1", Refusal::Locked), ("r-2", Refusal::Locked), ("r-3", Refusal::ModeOff)]),
            plan(&[("r-1", Refusal::Locked), ("r-2", Refusal::Locked)]),
            plan(&[("r-1", Refusal::NotRunning)]),
            plan(&[("r-1", Refusal::Locked), ("r-2", Refusal::Locked)]),
        ];
        for pair in plans.windows(2) {
            telemetry.renewals_refused(&pair[0], &pair[1]);
        }
        let seen = counted(&telemetry, RENEWALS_REFUSED);
        let ends: Vec<_> = seen.iter().filter_map(|line| line.split_once(",reason=")).collect();
        let ends: Vec<_> = ends.into_iter().map(|(_, end)| end).collect();
        assert_eq!(ends, [r#""locked"} 4"#, r#""not_running"} 1"#]);
    }
}
