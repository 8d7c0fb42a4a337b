//! What the daemon counts about itself: calls to clouds, rounds over scopes, messages and renewals.
//!
//! Loops and clients count here, by plain words; they know nothing of series and text. `metrics` puts the text on the
//! page. Counting takes a read lock, a binary search and an addition, and formats nothing, so that it costs nothing
//! next to a call.
//!
//! The counters are those of the `prometheus` crate, in a registry of their own; `series` says why each has constant
//! labels. Our tables only find them: by comparing words that the caller has, without making a text of them first.

pub mod renewals;
pub mod series;
mod table;
mod tally;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, IntCounter, Registry};

use crate::domain::alert::message::RenewalFailure;
use crate::domain::identity::Scope;
use crate::domain::reason::Reason;
use crate::domain::renewal::plan::Plan;
use crate::domain::renewal::refusal::Refusal;

use renewals::Renewals;
use series::{
    API_DURATION, API_ERRORS, API_REQUESTS, HEARTBEAT_FAILURES, NOTIFICATIONS, NOTIFICATIONS_FAILED,
    SCOPE_ERRORS, SCOPE_ROUNDS,
};
use table::Table;
use tally::Tally;
pub use text::Text;

/// Everything that is counted, from the start of the process. Nothing in it ever goes down.
#[derive(Debug, Default)]
pub struct Telemetry {
    registry: Registry,
    calls: Table<Call, Tally>,
    durations: Table<Action, Histogram>,
    scopes: Table<Scope, Tally>,
    channels: Table<Box<str>, Tally>,
    heartbeat: OnceLock<IntCounter>,
    renewals: Table<Scope, Renewals>,
    generation: AtomicU64,
    /// The text last made, and the generation it is at least as new as.
    text: Mutex<Option<(u64, Arc<Text>)>>,
}

/// Which calls are counted together.
#[derive(Debug)]
struct Call {
    provider: Box<str>,
    account: Box<str>,
    action: Box<str>,
}

/// Which calls have their durations measured together; accounts are not told apart, the cloud's speed is not theirs.
#[derive(Debug)]
struct Action {
    provider: Box<str>,
    action: Box<str>,
}

impl Telemetry {
    /// Counters at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a call that ended, good or bad, and how long it took.
    pub fn call(&self, provider: &str, account: &str, action: &str, took: Duration) {
        self.with_call(provider, account, action, Tally::add);
        self.with_action(provider, action, |durations| series::observe(durations, took));
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

    /// Counts an attempt to send a message that ended, good or bad.
    pub fn notification(&self, channel: &str) {
        self.with_channel(channel, Tally::add);
        self.changed();
    }

    /// Counts that such an attempt failed; [`Telemetry::notification`] counts it among all.
    pub fn notification_failed(&self, channel: &str, reason: Reason) {
        self.with_channel(channel, |tally| tally.add_failed(reason));
        self.changed();
    }

    /// Makes the counters of a channel exist at 0.
    pub fn preset_channel(&self, channel: &str) {
        self.with_channel(channel, |_| ());
        self.changed();
    }

    /// Makes the counter of the heartbeat exist at 0.
    pub fn preset_heartbeat(&self) {
        self.heartbeat.get_or_init(|| series::counter(&self.registry, HEARTBEAT_FAILURES, &[]));
        self.changed();
    }

    /// Counts that the heartbeat's address could not be called.
    pub fn heartbeat_failed(&self) {
        self.heartbeat.get_or_init(|| series::counter(&self.registry, HEARTBEAT_FAILURES, &[])).inc();
        self.changed();
    }

    /// Counts a renewal that ended, good or bad.
    pub fn renewal_done(&self, scope: &Scope) {
        self.with_renewals(scope, |renewals| renewals.add(&self.registry, scope));
        self.changed();
    }

    /// Counts that a renewal ended without a later end; [`Telemetry::renewal_done`] counts it among all.
    pub fn renewal_failed(&self, scope: &Scope, how: RenewalFailure) {
        self.with_renewals(scope, |renewals| renewals.add_failed(&self.registry, scope, how));
        self.changed();
    }

    /// Counts that it began that something is not renewed for this reason.
    pub fn renewal_refused(&self, scope: &Scope, why: Refusal) {
        self.with_renewals(scope, |renewals| renewals.add_refused(&self.registry, scope, why));
        self.changed();
    }

    /// Counts every refusal of a plan that the plan before did not have. The first plan of a process comes after an empty
    /// one.
    pub fn renewals_refused(&self, before: &Plan, now: &Plan) {
        for (resource, why) in renewals::refused_since(before, now) {
            self.renewal_refused(&resource.scope(), why);
        }
    }

    /// Makes the counters of renewals of a scope exist at 0, each reason among them: for scopes where something may be
    /// renewed, so that the first failure and the first refusal are an increase.
    pub fn preset_renewals(&self, scope: &Scope) {
        self.with_renewals(scope, |renewals| renewals.preset(&self.registry, scope));
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

    /// Takes the counters of an account's calls away, once it is no longer configured. How long calls took stays as long as
    /// another account makes the same calls.
    pub fn forget_account(&self, provider: &str, account: &str) {
        let of_account = |known: &Call| *known.provider == *provider && *known.account == *account;
        self.calls.remove_all(of_account, |tally| tally.leave(&self.registry));
        let of_nobody = |known: &Action| {
            let by = |call: &Call| call.provider == known.provider && call.action == known.action;
            *known.provider == *provider && !self.calls.has(by)
        };
        self.durations.remove_all(of_nobody, |durations| series::remove(&self.registry, durations));
        self.changed();
    }

    /// Takes the counters of every channel away that is not configured any more.
    pub fn forget_channels(&self, is_configured: impl Fn(&str) -> bool) {
        self.channels.remove_all(|known| !is_configured(known), |tally| tally.leave(&self.registry));
        self.changed();
    }

    /// Takes the counters of a scope away, once it is no longer configured or no longer listed.
    pub fn forget_scope(&self, scope: &Scope) {
        self.scopes.remove(|known| known.cmp(scope), |tally| tally.leave(&self.registry));
        self.renewals.remove(|known| known.cmp(scope), |renewals| renewals.leave(&self.registry));
        self.changed();
    }

    /// Everything as text. The same value again while nothing changed, so that a reader can keep what it made of it.
    pub fn text(&self) -> Arc<Text> {
        let mut kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the numbers, so that they are at least as new as it says.
        let generation = self.generation.load(Ordering::Acquire);
        match &*kept {
            Some((of, text)) if *of == generation => Arc::clone(text),
            _ => {
                let text = Arc::new(Text::read(&self.registry));
                *kept = Some((generation, Arc::clone(&text)));
                text
            }
        }
    }

    fn with_call(&self, provider: &str, account: &str, action: &str, act: impl Fn(&Tally)) {
        let order = |known: &Call| {
            (&*known.provider, &*known.account, &*known.action).cmp(&(provider, account, action))
        };
        let make = || {
            let labels = [("cloud_provider", provider), ("cloud_account", account), ("action", action)];
            let key = Call { provider: provider.into(), account: account.into(), action: action.into() };
            (key, Tally::new(&self.registry, API_REQUESTS, API_ERRORS, &labels))
        };
        self.calls.with(order, make, act);
    }

    fn with_action(&self, provider: &str, action: &str, act: impl Fn(&Histogram)) {
        let order = |known: &Action| (&*known.provider, &*known.action).cmp(&(provider, action));
        let make = || {
            let labels = [("cloud_provider", provider), ("action", action)];
            let key = Action { provider: provider.into(), action: action.into() };
            (key, series::histogram(&self.registry, API_DURATION, &labels))
        };
        self.durations.with(order, make, act);
    }

    fn with_scope(&self, scope: &Scope, act: impl Fn(&Tally)) {
        let make = || {
            let tally = Tally::new(&self.registry, SCOPE_ROUNDS, SCOPE_ERRORS, &scope.labels());
            (scope.clone(), tally)
        };
        self.scopes.with(|known| known.cmp(scope), make, act);
    }

    fn with_channel(&self, channel: &str, act: impl Fn(&Tally)) {
        let make = || {
            let tally =
                Tally::new(&self.registry, NOTIFICATIONS, NOTIFICATIONS_FAILED, &[("channel", channel)]);
            (channel.into(), tally)
        };
        self.channels.with(|known| (**known).cmp(channel), make, act);
    }

    fn with_renewals(&self, scope: &Scope, act: impl Fn(&Renewals)) {
        let make = || (scope.clone(), Renewals::new());
        self.renewals.with(|known| known.cmp(scope), make, act);
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::scope;
    use series::Series;

    /// Labels and value of each sample of a family that is not 0.
    pub(super) fn counted(telemetry: &Telemetry, series: Series) -> Vec<String> {
        let text = telemetry.text();
        let lines = text.of(series.name).unwrap_or_default().lines();
        let samples = lines.filter_map(|line| line.strip_prefix(series.name));
        samples.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
    }

    pub(super) fn samples(telemetry: &Telemetry, series: Series) -> usize {
        let text = telemetry.text();
        text.of(series.name).unwrap_or_default().lines().filter(|line| !line.starts_with('#')).count()
    }

    #[test]
    fn calls_are_told_apart_even_where_their_names_run_together() {
        let telemetry = Telemetry::new();
        telemetry.call("p", "a", "bc", Duration::from_millis(3));
        telemetry.call("p", "ab", "c", Duration::from_millis(3));
        telemetry.call_failed("p", "ab", "c", Reason::Timeout);
        assert_eq!(
            counted(&telemetry, API_REQUESTS),
            [
                r#"{action="bc",cloud_account="a",cloud_provider="p"} 1"#,
                r#"{action="c",cloud_account="ab",cloud_provider="p"} 1"#,
            ]
        );
        assert_eq!(
            counted(&telemetry, API_ERRORS),
            [r#"{action="c",cloud_account="ab",cloud_provider="p",reason="timeout"} 1"#]
        );
    }

    #[test]
    fn scopes_are_told_apart_even_where_their_names_run_together() {
        let telemetry = Telemetry::new();
        let named = |account: &str, project: &str| Scope {
            account: account.into(),
            project: project.into(),
            ..scope("rds")
        };
        for (rounds, scope) in [(1, named("a", "bc")), (2, named("ab", "c")), (3, named("", "abc"))] {
            for _ in 0..rounds {
                telemetry.round(&scope);
            }
        }
        let counts: Vec<_> = counted(&telemetry, SCOPE_ROUNDS)
            .iter()
            .map(|line| {
                line.split(",cloud_provider").next().expect("a part").to_owned()
                    + line.rsplit_once('}').expect("a value").1
            })
            .collect();
        assert_eq!(
            counts,
            [
                r#"{cloud_account="",cloud_project="abc" 3"#,
                r#"{cloud_account="a",cloud_project="bc" 1"#,
                r#"{cloud_account="ab",cloud_project="c" 2"#,
            ]
        );
    }

    #[test]
    fn a_preset_makes_zeros_and_never_resets() {
        let telemetry = Telemetry::new();
        for _ in 0..2 {
            telemetry.preset_account("p", "a", &["List", "Detail"]);
            telemetry.call_failed("p", "a", "List", Reason::Denied);
        }
        assert_eq!(samples(&telemetry, API_REQUESTS), 2);
        assert_eq!(counted(&telemetry, API_REQUESTS), [] as [&str; 0]);
        assert_eq!(samples(&telemetry, API_ERRORS), 2 * Reason::ALL.len());
        assert_eq!(
            counted(&telemetry, API_ERRORS),
            [r#"{action="List",cloud_account="a",cloud_provider="p",reason="denied"} 2"#]
        );
        assert_eq!(samples(&telemetry, API_DURATION), 2 * 13, "ten bounds, all, sum and count");
        assert_eq!(counted(&telemetry, API_DURATION), [] as [&str; 0]);
    }

    #[test]
    fn a_channel_begins_at_zero_and_counts_its_failures_by_reason() {
        let telemetry = Telemetry::new();
        telemetry.preset_channel("a");
        assert_eq!(samples(&telemetry, NOTIFICATIONS), 1);
        assert_eq!(samples(&telemetry, NOTIFICATIONS_FAILED), Reason::ALL.len());
        telemetry.notification("a");
        telemetry.notification_failed("a", Reason::Denied);
        assert_eq!(counted(&telemetry, NOTIFICATIONS), [r#"{channel="a"} 1"#]);
        assert_eq!(counted(&telemetry, NOTIFICATIONS_FAILED), [r#"{channel="a",reason="denied"} 1"#]);
    }

    #[test]
    fn a_channel_that_is_not_configured_any_more_is_gone_and_begins_anew_when_it_comes_back() {
        let telemetry = Telemetry::new();
        for channel in ["a", "b"] {
            telemetry.notification(channel);
            telemetry.notification_failed(channel, Reason::Denied);
        }
        telemetry.forget_channels(|name| name == "b");
        assert_eq!(counted(&telemetry, NOTIFICATIONS), [r#"{channel="b"} 1"#]);
        assert_eq!(samples(&telemetry, NOTIFICATIONS_FAILED), Reason::ALL.len());
        telemetry.preset_channel("a");
        assert_eq!(samples(&telemetry, NOTIFICATIONS), 2);
        assert_eq!(counted(&telemetry, NOTIFICATIONS), [r#"{channel="b"} 1"#], "it begins at 0");
    }

    #[test]
    fn each_reason_has_its_own_counter() {
        let telemetry = Telemetry::new();
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            for _ in 0..=n {
                telemetry.scope_error(&scope("rds"), reason);
            }
        }
        let seen = counted(&telemetry, SCOPE_ERRORS);
        assert_eq!(seen.len(), Reason::ALL.len(), "{seen:#?}");
        for (n, reason) in Reason::ALL.into_iter().enumerate() {
            let end = format!(r#",reason="{}"}} {}"#, reason.as_str(), n + 1);
            assert_eq!(seen.iter().filter(|line| line.ends_with(&end)).count(), 1, "{end}");
        }
    }

    #[test]
    fn a_forgotten_scope_is_gone_the_others_stay_and_it_can_come_back() {
        let telemetry = Telemetry::new();
        for service in ["rds", "redis"] {
            telemetry.round(&scope(service));
            telemetry.scope_error(&scope(service), Reason::Timeout);
        }
        telemetry.forget_scope(&scope("rds"));
        telemetry.forget_scope(&scope("rds"));
        let rounds = counted(&telemetry, SCOPE_ROUNDS);
        assert!(matches!(&rounds[..], [only] if only.contains(r#"cloud_service="redis"} 1"#)), "{rounds:?}");
        assert_eq!(samples(&telemetry, SCOPE_ERRORS), Reason::ALL.len());

        telemetry.preset_scope(&scope("rds"));
        assert_eq!(samples(&telemetry, SCOPE_ROUNDS), 2);
        assert_eq!(counted(&telemetry, SCOPE_ROUNDS), rounds, "it begins at 0");
    }

    #[test]
    fn a_forgotten_account_is_gone_and_the_times_of_calls_that_nobody_makes_any_more() {
        let telemetry = Telemetry::new();
        for (provider, account, action) in
            [("p", "a", "List"), ("p", "a", "Detail"), ("p", "b", "List"), ("q", "a", "Detail")]
        {
            telemetry.call(provider, account, action, Duration::ZERO);
            telemetry.call_failed(provider, account, action, Reason::Timeout);
        }
        telemetry.forget_account("p", "a");
        telemetry.forget_account("p", "nobody");
        let left = [
            r#"{action="Detail",cloud_account="a",cloud_provider="q"} 1"#,
            r#"{action="List",cloud_account="b",cloud_provider="p"} 1"#,
        ];
        assert_eq!(counted(&telemetry, API_REQUESTS), left);
        assert_eq!(samples(&telemetry, API_ERRORS), 2 * Reason::ALL.len());
        let times = telemetry.text().of(API_DURATION.name).unwrap_or_default().to_owned();
        for (action, provider, want) in [("Detail", "p", false), ("List", "p", true), ("Detail", "q", true)] {
            let one = format!("_count{{action=\"{action}\",cloud_provider=\"{provider}\"}} ");
            assert_eq!(times.contains(&one), want, "{one}\n{times}");
        }
        telemetry.preset_account("p", "a", &["Detail"]);
        assert_eq!(counted(&telemetry, API_REQUESTS), left, "it begins at 0");
        assert_eq!(samples(&telemetry, API_REQUESTS), 3);
    }

    #[test]
    fn every_change_is_in_the_next_text_and_without_one_it_is_the_same() {
        let telemetry = Telemetry::new();
        let changes: [(&str, &dyn Fn()); 18] = [
            ("call", &|| telemetry.call("p", "a", "x", Duration::ZERO)),
            ("failed call", &|| telemetry.call_failed("p", "a", "x", Reason::Refused)),
            ("round", &|| telemetry.round(&scope("rds"))),
            ("scope error", &|| telemetry.scope_error(&scope("rds"), Reason::Refused)),
            ("account", &|| telemetry.preset_account("p", "a", &["y"])),
            ("scope", &|| telemetry.preset_scope(&scope("redis"))),
            ("message", &|| telemetry.notification("c")),
            ("failed message", &|| telemetry.notification_failed("c", Reason::Refused)),
            ("channel", &|| telemetry.preset_channel("d")),
            ("heartbeat", &|| telemetry.preset_heartbeat()),
            ("failed heartbeat", &|| telemetry.heartbeat_failed()),
            ("renewal", &|| telemetry.renewal_done(&scope("redis"))),
            ("failed renewal", &|| telemetry.renewal_failed(&scope("redis"), RenewalFailure::Later)),
            ("refused renewal", &|| telemetry.renewal_refused(&scope("redis"), Refusal::Locked)),
            ("renewals", &|| telemetry.preset_renewals(&scope("rds"))),
            ("forgotten channel", &|| telemetry.forget_channels(|name| name != "d")),
            ("forgotten scope", &|| telemetry.forget_scope(&scope("redis"))),
            ("forgotten account", &|| telemetry.forget_account("p", "a")),
        ];
        for (name, change) in changes {
            let before = telemetry.text();
            assert!(Arc::ptr_eq(&before, &telemetry.text()), "{name}: made once");
            change();
            assert_ne!(before, telemetry.text(), "{name}");
        }
    }

    #[test]
    fn counting_from_many_threads_loses_nothing() {
        let telemetry = Telemetry::new();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for n in 0..999 {
                        telemetry.call("p", ["a", "b", "c"][n % 3], "x", Duration::from_millis(1));
                        telemetry.round(&scope("rds"));
                        if n % 9 == 0 {
                            telemetry.forget_scope(&scope("redis"));
                            telemetry.preset_scope(&scope("redis"));
                        }
                    }
                });
            }
        });
        let calls = counted(&telemetry, API_REQUESTS);
        assert!(calls.len() == 3 && calls.iter().all(|line| line.ends_with("} 1332")), "{calls:?}");
        assert!(
            telemetry
                .text()
                .of(API_DURATION.name)
                .is_some_and(|text| text.contains("_count{action=\"x\",cloud_provider=\"p\"} 3996\n"))
        );
        assert_eq!(samples(&telemetry, SCOPE_ROUNDS), 2, "redis was never made twice");
    }
}
