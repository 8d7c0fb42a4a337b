//! What the daemon counts about itself: calls to clouds, and rounds over scopes.
//!
//! Loops and clients count here, by plain words; they know nothing of series and text. `metrics` reads the numbers
//! and writes them. Counting takes a read lock, a binary search and an addition, and formats nothing, so that it
//! costs nothing next to a call.
//!
//! The tables are our own: the one of the `prometheus` crate (0.14) tells rows apart by a hash over the label values
//! without a mark between them, so that account `a` with project `bc` counts for account `ab` with project `c` too.

mod histogram;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::identity::Scope;
use crate::domain::reason::Reason;

pub use histogram::{BOUNDS, Histogram};
use table::Table;

/// Everything that is counted, from the start of the process. Nothing in it ever goes down.
#[derive(Debug, Default)]
pub struct Telemetry {
    calls: Table<Call, Tally>,
    durations: Table<Action, Histogram>,
    scopes: Table<Scope, Tally>,
    generation: AtomicU64,
}

/// Which calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// Code of the cloud.
    pub provider: Arc<str>,
    /// Name of the account as configured.
    pub account: Arc<str>,
    /// The cloud's own name of the call.
    pub action: Arc<str>,
}

/// Which calls have their durations measured together; accounts are not told apart, the cloud's speed is not theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// Code of the cloud.
    pub provider: Arc<str>,
    /// The cloud's own name of the call.
    pub action: Arc<str>,
}

/// How many, and how many of them failed for which reason. Each reason is there from the start, at 0.
#[derive(Debug, Default)]
pub struct Tally {
    total: AtomicU64,
    failed: [AtomicU64; Reason::ALL.len()],
}

impl Tally {
    /// How many, good and bad.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many failed, for each reason in documented order.
    pub fn failed(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL
            .into_iter()
            .zip(&self.failed)
            .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }

    fn add(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    fn add_failed(&self, reason: Reason) {
        self.failed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Counters at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a call that ended, good or bad, and how long it took.
    pub fn call(&self, provider: &str, account: &str, action: &str, took: Duration) {
        self.with_call(provider, account, action, Tally::add);
        self.with_action(provider, action, |durations| durations.observe(took));
        self.changed();
    }

    /// Counts that a call failed; [`Telemetry::call`] counts it among all calls.
    pub fn call_failed(&self, provider: &str, account: &str, action: &str, reason: Reason) {
        self.with_call(provider, account, action, |tally| tally.add_failed(reason));
        self.changed();
    }

    /// Counts a round over a scope that ended, good or bad.
    pub fn round(&self, scope: &Scope) {
        self.with_scope(scope, Tally::add);
        self.changed();
    }

    /// Counts that something in a scope failed: its listing, or a look at one of its resources.
    pub fn scope_error(&self, scope: &Scope, reason: Reason) {
        self.with_scope(scope, |tally| tally.add_failed(reason));
        self.changed();
    }

    /// Makes the counters of an account exist at 0, so that the first failure is an increase.
    pub fn preset_account(&self, provider: &str, account: &str, actions: &[&str]) {
        for action in actions {
            self.with_call(provider, account, action, |_| ());
            self.with_action(provider, action, |_| ());
        }
        self.changed();
    }

    /// Makes the counters of a scope exist at 0.
    pub fn preset_scope(&self, scope: &Scope) {
        self.with_scope(scope, |_| ());
        self.changed();
    }

    /// Takes the counters of a scope away, once it is no longer configured or no longer listed.
    pub fn forget_scope(&self, scope: &Scope) {
        self.scopes.remove(|known| known.cmp(scope));
        self.changed();
    }

    /// Grows with every change. Whoever reads it first and the numbers afterwards has numbers at least as new.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Visits the calls, in order.
    pub fn each_call(&self, visit: impl FnMut(&Call, &Tally)) {
        self.calls.each(visit);
    }

    /// Visits the durations of calls, in order.
    pub fn each_duration(&self, visit: impl FnMut(&Action, &Histogram)) {
        self.durations.each(visit);
    }

    /// Visits the scopes, in order.
    pub fn each_scope(&self, visit: impl FnMut(&Scope, &Tally)) {
        self.scopes.each(visit);
    }

    fn with_call(&self, provider: &str, account: &str, action: &str, act: impl Fn(&Tally)) {
        let order = |known: &Call| {
            (&*known.provider, &*known.account, &*known.action).cmp(&(provider, account, action))
        };
        let key = || Call { provider: provider.into(), account: account.into(), action: action.into() };
        self.calls.with(order, key, act);
    }

    fn with_action(&self, provider: &str, action: &str, act: impl Fn(&Histogram)) {
        let order = |known: &Action| (&*known.provider, &*known.action).cmp(&(provider, action));
        let key = || Action { provider: provider.into(), action: action.into() };
        self.durations.with(order, key, act);
    }

    fn with_scope(&self, scope: &Scope, act: impl Fn(&Tally)) {
        self.scopes.with(|known| known.cmp(scope), || scope.clone(), act);
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::scope;

    fn calls(telemetry: &Telemetry) -> Vec<(String, u64, u64)> {
        let mut seen = Vec::new();
        telemetry.each_call(|call, tally| {
            let failed = tally.failed().map(|(_, count)| count).sum();
            seen.push((format!("{}/{}/{}", call.provider, call.account, call.action), tally.total(), failed));
        });
        seen
    }

    #[test]
    fn calls_are_told_apart_even_where_their_names_run_together() {
        let telemetry = Telemetry::new();
        telemetry.call("p", "a", "bc", Duration::from_millis(3));
        telemetry.call("p", "ab", "c", Duration::from_millis(3));
        telemetry.call_failed("p", "ab", "c", Reason::Timeout);
        assert_eq!(calls(&telemetry), [("p/a/bc".into(), 1, 0), ("p/ab/c".into(), 1, 1)]);
    }

    #[test]
    fn a_preset_makes_zeros_and_never_resets() {
        let telemetry = Telemetry::new();
        for _ in 0..2 {
            telemetry.preset_account("p", "a", &["List", "Detail"]);
            telemetry.call_failed("p", "a", "List", Reason::Denied);
        }
        assert_eq!(calls(&telemetry), [("p/a/Detail".into(), 0, 0), ("p/a/List".into(), 0, 2)]);
        let mut durations = 0;
        telemetry.each_duration(|_, histogram| {
            assert_eq!(histogram.cumulative().map(|(_, count)| count).max(), Some(0));
            durations += 1;
        });
        assert_eq!(durations, 2);
    }

    #[test]
    fn each_reason_has_its_own_counter() {
        let telemetry = Telemetry::new();
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            for _ in 0..n {
                telemetry.scope_error(&scope("rds"), reason);
            }
        }
        let mut seen = Vec::new();
        telemetry.each_scope(|_, tally| seen.extend(tally.failed()));
        assert_eq!(seen, Reason::ALL.into_iter().zip(0..).collect::<Vec<_>>());
    }

    #[test]
    fn a_forgotten_scope_is_gone_and_the_others_stay() {
        let telemetry = Telemetry::new();
        for service in ["rds", "redis"] {
            telemetry.preset_scope(&scope(service));
            telemetry.round(&scope(service));
        }
        telemetry.forget_scope(&scope("rds"));
        telemetry.forget_scope(&scope("rds"));
        let mut seen = Vec::new();
        telemetry.each_scope(|scope, tally| seen.push((scope.service.to_string(), tally.total())));
        assert_eq!(seen, [("redis".to_owned(), 1)]);
    }

    #[test]
    fn every_change_is_a_new_generation() {
        let telemetry = Telemetry::new();
        let changes: [(&str, &dyn Fn()); 7] = [
            ("call", &|| telemetry.call("p", "a", "x", Duration::ZERO)),
            ("failed call", &|| telemetry.call_failed("p", "a", "x", Reason::Refused)),
            ("round", &|| telemetry.round(&scope("rds"))),
            ("scope error", &|| telemetry.scope_error(&scope("rds"), Reason::Refused)),
            ("account", &|| telemetry.preset_account("p", "a", &["y"])),
            ("scope", &|| telemetry.preset_scope(&scope("redis"))),
            ("forgotten scope", &|| telemetry.forget_scope(&scope("redis"))),
        ];
        for (name, change) in changes {
            let before = telemetry.generation();
            change();
            assert!(telemetry.generation() > before, "{name}");
        }
    }

    #[test]
    fn counting_from_many_threads_loses_nothing() {
        let telemetry = Telemetry::new();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for n in 0..1000 {
                        telemetry.call("p", ["a", "b", "c"][n % 3], "x", Duration::from_millis(1));
                    }
                });
            }
        });
        assert_eq!(calls(&telemetry).iter().map(|(_, total, _)| total).sum::<u64>(), 4000);
    }
}
