//! Begins one renewal: asks the operator's hook, writes the attempt down, makes the call. The only place that makes one.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::Renewals;
use super::round::View;
use super::work;
use crate::domain::alert::message::RenewalNews;
use crate::domain::renewal::attempt::{Attempt, ResourceKey};
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::method::{Call, Material};
use crate::domain::renewal::plan::{Decision, Plan, Step};
use crate::provider::Pair;

/// A hook's yes counts for this long.
const CLEARED: TimeDelta = TimeDelta::minutes(5);
/// Windows mean nothing on a machine whose clock is off by more.
const CLOCK: TimeDelta = TimeDelta::minutes(5);

impl Renewals {
    /// Begins the first renewal of a plan; the next one is for the next plan.
    pub(super) async fn begin(&mut self, view: &View, plan: &Plan) -> bool {
        self.course.cleared.retain(|_, at| view.now - *at < CLEARED && *at <= view.now);
        if self.course.is_calling() {
            return false;
        }
        let first = plan.steps.iter().find_map(|step| match &step.decision {
            Decision::Renew { call, attempt } => Some((step, call, attempt)),
            _ => None,
        });
        let Some((step, call, attempt)) = first else { return false };
        if let Some(trouble) = self.clock_trouble(&step.resource) {
            tracing::warn!(resource = %step.resource, trouble, "a renewal waits");
            return false;
        }
        let hook = self.hook(attempt).filter(|hook| hook.before.is_some()).cloned();
        if let Some(hook) = hook
            && !self.course.cleared.contains_key(&attempt.id)
        {
            tracing::info!(attempt = &*attempt.id, resource = %step.resource, "a hook is asked whether a renewal may begin");
            self.course.beginning.insert(attempt.id.clone());
            self.course.work.spawn(work::before((**attempt).clone(), hook));
            return false;
        }
        self.store_and_call(view, step, call, attempt).await
    }

    /// The attempt is written down; only then the call is made, and only by this one place.
    async fn store_and_call(&mut self, view: &View, step: &Step, call: &Call, attempt: &Attempt) -> bool {
        let Some(provider) = self.context.providers.get(&*step.resource.account).map(Arc::clone) else {
            return false;
        };
        let pair = match self.pair(view, step, call).await {
            Ok(pair) => pair,
            Err(why) => {
                tracing::warn!(resource = %step.resource, why, "the certificate of your own changed and does not fit any more");
                return false;
            }
        };
        let Some(before) = view.known.attempts.iter().find(|known| known.id == attempt.id) else {
            return false;
        };
        let news = RenewalNews::Started { expected_by: attempt.expected_by.unwrap_or(view.now) };
        let change = Change::new(Some(before), attempt.clone(), attempt.by.name(), "");
        let letters = self.letters(view, vec![(&change.attempt, news)]);
        match self.context.keeping.write(std::slice::from_ref(&change), &letters, view.now).await {
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
            attempt = &*attempt.id, resource = %step.resource, call = call.action, by = attempt.by.name(),
            rule = &*attempt.rule, "a renewal begins: {}", call.restarts.text()
        );
        self.course.cleared.remove(&attempt.id);
        self.course.beginning.insert(attempt.id.clone());
        let clock = self.context.clock.clone();
        self.course.work.spawn(work::call(provider, attempt, call.clone(), pair, clock));
        true
    }

    /// The operator's own pair, read and checked once more: it is sent exactly as it was judged.
    async fn pair(&mut self, view: &View, step: &Step, call: &Call) -> Result<Option<Pair>, String> {
        let Some((_, _, files)) = call.material.clone() else { return Ok(None) };
        let host = self.course.details.get(&step.resource).and_then(|detail| detail.host.clone());
        let end = step.certificate.map_or(view.now, |certificate| certificate.not_after);
        let now = view.now;
        let read = tokio::task::spawn_blocking(move || {
            let pair = Pair::read(&files).map_err(|error| error.to_string())?;
            match pair.material(host.as_deref(), end, now) {
                Material::Fit { .. } => Ok(Some(pair)),
                Material::Unfit { why } => Err(why.to_string()),
                Material::Unread => Err("nobody has looked at it".to_owned()),
            }
        });
        let read = read.await.unwrap_or_else(|_| Err("the files could not be read".to_owned()));
        if read.is_err() {
            // judged anew by the next plan
            self.course.details.remove(&step.resource);
        }
        read
    }

    /// A window is never concluded from one jump of the clock: nothing is begun in this round.
    pub(super) fn clock_jumped(&mut self, wall: DateTime<Utc>) -> bool {
        let now = Instant::now();
        let Some((wall_before, before)) = self.course.before.replace((wall, now)) else { return false };
        let passed = TimeDelta::from_std(now - before).unwrap_or(TimeDelta::MAX);
        ((wall - wall_before) - passed).abs() > CLOCK
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
