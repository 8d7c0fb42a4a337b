//! What the cloud saw, held against what was allowed, with arithmetic of our own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use notafter::domain::alert::message::{Item, RenewalNews};
use notafter::domain::alert::outbox::State as Delivery;
use notafter::domain::policy::{RenewalMode, RenewalPolicy};
use notafter::domain::renewal::attempt::{Attempt, State};
use notafter::sim::alibaba::Call;
use notafter::store::Store;

use crate::month::At;

/// What may be done.
pub(crate) struct Allowed {
    pub(crate) ids: BTreeSet<String>,
    /// Of the window.
    pub(crate) zone: Tz,
    pub(crate) from: u32,
    pub(crate) hours: u32,
    pub(crate) policy: RenewalPolicy,
}

/// What happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) calls: usize,
    pub(crate) confirmed: usize,
    pub(crate) failed: usize,
    pub(crate) orders: usize,
    pub(crate) crashes: usize,
    pub(crate) messages: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.confirmed += other.confirmed;
        self.failed += other.failed;
        self.orders += other.orders;
        self.crashes += other.crashes;
        self.messages += other.messages;
    }
}

pub(crate) struct Verdict {
    allowed: Allowed,
    /// Resource, end, moment of every Modify.
    calls: Vec<(String, At, At)>,
    /// What people wanted: resource, whether at once, when.
    orders: Vec<(String, bool, At)>,
}

impl Verdict {
    pub(crate) fn new(allowed: Allowed) -> Self {
        Self { allowed, calls: Vec::new(), orders: Vec::new() }
    }

    /// A person's wish was taken.
    pub(crate) fn wanted(&mut self, id: &str, at_once: bool, now: At) {
        self.orders.push((id.to_owned(), at_once, now));
    }

    /// The cloud saw a Modify, whatever it made of it.
    pub(crate) fn called(&mut self, call: &Call, ends: &BTreeMap<String, At>, attempts: &[Attempt]) {
        let id = call.resource.as_deref().expect("a Modify names its instance").to_owned();
        let (at, policy) = (call.at, &self.allowed.policy);
        assert!(self.allowed.ids.contains(&id), "{id} was renewed, and no rule allows it");
        let end = ends.get(&id).copied().expect("it has a certificate");
        let ours = |(resource, _, when): &&(String, bool, At)| *resource == id && *when <= at;
        let orders = self.orders.iter().filter(ours).count();
        assert!(policy.mode == RenewalMode::Auto || orders > 0, "{id}: nobody approved it");
        let at_once = self
            .orders
            .iter()
            .filter(ours)
            .any(|(_, at_once, when)| *at_once && at - *when <= TimeDelta::hours(1));
        assert!(at_once || self.is_open(at), "{id}: {at} is outside the window");
        let before = self.calls.iter().filter(|(resource, of, _)| *resource == id && *of == end);
        let last = before.clone().map(|(_, _, at)| *at).max();
        let again = last.is_none_or(|last| {
            self.orders.iter().any(|(resource, _, when)| *resource == id && *when >= last)
        });
        assert!(again, "{id} was sent twice for {end}, and no person wanted that");
        let today = self.calls.iter().filter(|(_, _, when)| at - *when < TimeDelta::hours(24)).count();
        assert!(today < policy.max_per_day as usize, "{today} renewals in a day already");
        let open = attempts.iter().filter(|attempt| {
            let sent = attempt.stored_at.is_some_and(|stored| stored <= at);
            sent && attempt.state.was_sent() && (attempt.state.is_open() || attempt.changed_at > at)
        });
        let open = open.count();
        assert!(open <= policy.max_in_progress as usize, "{open} under way at {at}");
        self.calls.push((id, end, at));
    }

    /// With the 40 minutes that it may take.
    fn is_open(&self, at: At) -> bool {
        let inside = |moment: DateTime<Utc>| {
            let hour = moment.with_timezone(&self.allowed.zone).hour();
            (hour + 24 - self.allowed.from) % 24 < self.allowed.hours
        };
        // the cloud keeps an order for its window up to two hours
        let kept = matches!(self.allowed.policy.allow[0].window, notafter::domain::policy::Window::Cloud);
        let early = kept && inside(at + TimeDelta::hours(2));
        early || (inside(at) && inside(at + TimeDelta::minutes(39)))
    }

    /// Everything that was begun has an end, and every end was told.
    pub(crate) async fn judge(&self, store: &Store, now: At, seed: u64) -> Figures {
        let attempts = store.attempts(now).await.unwrap();
        let rows = store.messages(&Delivery::ALL, 100_000, None).await.unwrap();
        let mut told: BTreeMap<String, Vec<RenewalNews>> = BTreeMap::new();
        for item in rows.iter().flat_map(|row| &row.message.items) {
            if let Item::Renewal(item) = item {
                told.entry(item.attempt.to_string()).or_default().push(item.news.clone());
            }
        }
        let mut figures = Figures {
            calls: self.calls.len(),
            orders: self.orders.len(),
            messages: rows.len(),
            ..Figures::default()
        };
        for attempt in &attempts {
            let news = told.get(&*attempt.id).map_or(&[][..], |news| news);
            judge_attempt(attempt, news, seed);
            println!("  {} {} {:?}", attempt.id, attempt.key.resource.service, attempt.state);
            figures.confirmed += usize::from(matches!(attempt.state, State::Confirmed { .. }));
            figures.failed += usize::from(attempt.state.has_failed());
        }
        let sent = attempts.iter().filter(|attempt| attempt.state.was_sent()).count();
        assert!(
            sent >= self.calls.len(),
            "{} calls, and only {sent} attempts were written down",
            self.calls.len()
        );
        figures
    }
}

fn judge_attempt(attempt: &Attempt, news: &[RenewalNews], seed: u64) {
    let about =
        format!("seed {seed}, {} of {} is {}", attempt.id, attempt.key.resource, attempt.state.as_str());
    assert!(!attempt.state.is_open(), "{about} and never ends");
    let count = |is: fn(&RenewalNews) -> bool| news.iter().filter(|news| is(news)).count();
    let succeeded = count(|news| matches!(news, RenewalNews::Succeeded { .. }));
    let failed = count(|news| matches!(news, RenewalNews::Failed { .. }));
    let started = count(|news| matches!(news, RenewalNews::Started { .. }));
    let planned = count(|news| matches!(news, RenewalNews::Planned { .. }));
    let confirmed = matches!(attempt.state, State::Confirmed { .. });
    assert_eq!(succeeded, usize::from(confirmed), "{about}: told {news:?}");
    assert_eq!(failed, usize::from(attempt.state.has_failed()), "{about}: told {news:?}");
    if attempt.state.was_sent() {
        assert!(started >= 1, "{about}, and nobody heard that it began");
    }
    if attempt.by.name() == "rule" {
        assert!(planned >= 1, "{about}, and nobody heard of the plan");
    }
}
