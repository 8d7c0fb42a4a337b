//! Begins one renewal: asks the operator's hook, writes the attempt down, makes the call. The only place that makes one.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::Renewals;
use super::round::View;
use super::work::{self, Errand};
use crate::domain::alert::message::RenewalNews;
use crate::domain::renewal::attempt::{Attempt, ResourceKey};
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::method::Call;
use crate::domain::renewal::plan::{Decision, Plan, Step};

/// A hook's yes counts for this long.
const CLEARED: TimeDelta = TimeDelta::minutes(5);
/// Windows mean nothing on a machine whose clock is off by more.
const CLOCK: TimeDelta = TimeDelta::minutes(5);

impl Renewals {
    /// Begins the first renewal of a plan that nothing stands in the way of; the next one is for the next plan.
    pub(super) async fn begin(&mut self, view: &View, plan: &Plan, planned: Instant) -> bool {
        self.course.cleared.retain(|_, at| view.now - *at < CLEARED && *at <= view.now);
        for step in &plan.steps {
            let Decision::Renew { call, attempt } = &step.decision else { continue };
            if self.course.beginning.contains(&attempt.id) || !self.may_begin(&attempt.id) {
                continue;
            }
            if let Some(trouble) = self.clock_trouble(&step.resource) {
                tracing::warn!(resource = %step.resource, trouble, "a renewal waits");
                continue;
            }
            if self.is_cleared(attempt) {
                return self.store_and_call(view, step, call, attempt, planned).await;
            }
        }
        false
    }

    /// Whether the operator's hook said yes, or there is none; else it is asked.
    fn is_cleared(&mut self, attempt: &Attempt) -> bool {
        let hook = self.hook(attempt).filter(|hook| hook.before.is_some()).cloned();
        let Some(hook) = hook.filter(|_| !self.course.cleared.contains_key(&attempt.id)) else { return true };
        let resource = &attempt.key.resource;
        tracing::info!(attempt = &*attempt.id, %resource, "a hook is asked whether a renewal may begin");
        self.course.beginning.insert(attempt.id.clone());
        self.course.work.spawn(work::before(attempt.clone(), hook, self.course.epoch));
        false
    }

    /// The attempt is written down, as long as nobody else wrote anything since; only then the call is made, and only by
    /// this one place.
    async fn store_and_call(
        &mut self,
        view: &View,
        step: &Step,
        call: &Call,
        attempt: &Attempt,
        planned: Instant,
    ) -> bool {
        let Some(provider) = self.context.providers.get(&*step.resource.account).map(Arc::clone) else {
            return false;
        };
        let Some(before) = view.known.attempts.iter().find(|known| known.id == attempt.id) else {
            return false;
        };
        let news = RenewalNews::Started { expected_by: attempt.expected_by.unwrap_or(view.now) };
        let change = Change::new(Some(before), attempt.clone(), attempt.wanted_by(), "");
        // who was told that it is held hears of its end, and not of each try
        let news = (!attempt.held).then_some((&change.attempt, news));
        let letters = self.letters(view, news.into_iter().collect());
        let (changes, turn) = (std::slice::from_ref(&change), Some(view.known.turn));
        match self.write(changes, &letters, view.now, turn).await {
            Ok(true) => {}
            Ok(false) => return true,
            Err(away) => {
                tracing::error!(error = %away, "a renewal waits: it must be written down first");
                return false;
            }
        }
        self.context.written.notify_one();
        let attempt = change.attempt;
        tracing::warn!(
            attempt = &*attempt.id, resource = %step.resource, call = call.action, by = attempt.wanted_by(),
            rule = &*attempt.rule, "a renewal begins: {}", call.restarts.text()
        );
        self.course.cleared.remove(&attempt.id);
        self.course.beginning.insert(attempt.id.clone());
        self.course.calling.insert(attempt.id.clone());
        let host = self.course.details.get(&step.resource).and_then(|detail| detail.host.clone());
        let (call, clock) = (call.clone(), self.context.clock.clone());
        let errand = Errand { provider, attempt, call, host, planned: (view.now, planned), clock };
        self.course.work.spawn(work::call(errand));
        true
    }

    /// A window is never concluded from one jump of the clock: nothing is begun in this round.
    pub(super) fn clock_jumped(&mut self, wall: DateTime<Utc>) -> bool {
        let now = Instant::now();
        let Some((wall_before, before)) = self.course.before.replace((wall, now)) else { return false };
        let passed = TimeDelta::from_std(now - before).unwrap_or(TimeDelta::MAX);
        if ((wall - wall_before) - passed).abs() <= CLOCK {
            return false;
        }
        // what is known is as old as nobody knows; reading it anew also tells the difference to the cloud's clock
        self.course.epoch.clock += 1;
        self.course.details.clear();
        self.course.asked.clear();
        self.course.cleared.clear();
        self.course.failed.clear();
        self.course.rounds = 0;
        true
    }

    pub(super) fn clock_trouble(&self, key: &ResourceKey) -> Option<String> {
        let ahead = self.context.providers.get(&*key.account)?.clock_ahead()?;
        (ahead.abs() > CLOCK).then(|| {
            format!(
                "this machine's clock and the cloud's are {} s apart, so no window can be kept",
                ahead.num_seconds()
            )
        })
    }
}
