//! Which scopes an account has, where the cloud lists its regions (and projects) and nobody wrote all of them down.

use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::look::Look;
use super::{Poller, resume};
use crate::call::CallError;
use crate::domain::due::LaneId;
use crate::domain::identity::Scope;
use crate::domain::listing::ScopeList;
use crate::domain::snapshot::{RegionList, Snapshot};

/// The regions of an account are asked for at least this often.
const REGIONS_EVERY: Duration = Duration::from_hours(24);
/// And once in so many listings of a scope, where these are made more often than hourly.
const LISTINGS: u32 = 24;

/// The list of the regions of an account, for one service.
#[derive(Debug)]
pub(super) struct RegionsState {
    pub account: usize,
    pub service: &'static str,
    pub lane: LaneId,
    /// When it is asked for next; a planned look for another time is out of date.
    pub next: Duration,
    /// That it was incomplete was told, and no complete one came since.
    pub incomplete_told: bool,
}

impl Poller {
    /// The scopes of a service whose regions the cloud lists: those known from before, or a stand-in until it answers.
    pub(super) fn add_listed_scopes(
        &mut self,
        account: usize,
        service: &'static str,
        restored: &mut Snapshot,
    ) {
        let placeholder = Arc::new(self.placeholder(account, service));
        let at = self.clock.elapsed() + self.take_over_regions(account, &placeholder, restored);
        let known = resume::take_scopes(restored, &placeholder);
        if known.is_empty() {
            self.telemetry.preset_scope(&placeholder);
            let view = restored.scopes.remove(&placeholder).unwrap_or_default();
            self.snapshot.scopes.insert(Arc::clone(&placeholder), view);
            self.snapshot.revision += 1;
        }
        for (scope, view) in known {
            self.add_scope(account, (*scope).clone(), Some(view));
        }
        let lane = self.add_lane(account, None, 1);
        self.lists.push(RegionsState { account, service, lane, next: at, incomplete_told: false });
        self.regions_now(self.lists.len() - 1, at);
    }

    pub(super) fn fold_regions(&mut self, list: usize, result: Result<ScopeList, CallError>, now: Duration) {
        let wait = match result {
            Ok(scopes) => self.take_in_list(list, scopes),
            Err(error) => self.list_failed(list, &error, now),
        };
        self.plan_regions(list, now + wait);
    }

    /// Returns how long to wait before the next one.
    fn take_in_list(&mut self, list: usize, scopes: ScopeList) -> Duration {
        let RegionsState { account, service, .. } = self.lists[list];
        let placeholder = Arc::new(self.placeholder(account, service));
        self.snapshot.remove_scope(&placeholder);
        self.telemetry.forget_scope(&placeholder);
        let doubts = self.judge_list(account, service, &scopes);
        for scope in scopes.scopes {
            self.add_scope(account, scope, None);
        }
        if let Some((_, text)) = &scopes.incomplete {
            if !std::mem::replace(&mut self.lists[list].incomplete_told, true) {
                let error = text.as_str();
                tracing::warn!(scope = %placeholder, error, "list of regions incomplete, no scope is taken off");
            }
            return self.policy.discover_every.min(self.regions_every());
        }
        self.lists[list].incomplete_told = false;
        if doubts {
            // Not noted as done: after a restart it is asked for at once, as the next word is wanted soon.
            return self.policy.discover_every.min(self.regions_every());
        }
        let asked_for = self.accounts[account].account.filter.places;
        let done = RegionList { at: self.clock.now(), asked_for };
        self.snapshot.regions_listed.insert(placeholder, done);
        self.snapshot.revision += 1;
        self.regions_every()
    }

    fn list_failed(&mut self, list: usize, error: &CallError, now: Duration) -> Duration {
        let RegionsState { account, service, .. } = self.lists[list];
        let placeholder = Arc::new(self.placeholder(account, service));
        let failure = self.failure(error);
        if self.scopes_of(account, service).is_empty() {
            self.scope_failed(&placeholder, failure, error.kind);
        } else {
            tracing::warn!(scope = %placeholder, error = &*failure.text, "regions cannot be listed anew");
        }
        let failures = self.snapshot.scopes.get(&placeholder).map_or(0, |view| view.listing_failures);
        if self.is_throttled_in_one_round(error.kind, failures) {
            self.regions_now(list, now);
        }
        self.wait_after_listing(account, &placeholder, Some(error.kind), failures, now)
    }

    /// How often the regions of an account are asked for.
    pub(super) fn regions_every(&self) -> Duration {
        REGIONS_EVERY.min(self.policy.discover_every.saturating_mul(LISTINGS))
    }

    /// The scopes of a service of an account that are there.
    pub(super) fn scopes_of(&self, account: usize, service: &str) -> Vec<usize> {
        let of = |index: &usize| {
            let state = &self.scopes[*index];
            !state.gone && state.account == account && *state.scope.service == *service
        };
        (0..self.scopes.len()).filter(of).collect()
    }

    pub(super) fn plan_regions(&mut self, list: usize, at: Duration) {
        if !self.mode.is_once() {
            self.regions_now(list, at);
        }
    }

    pub(super) fn regions_now(&mut self, list: usize, at: Duration) {
        self.lists[list].next = at;
        self.due.schedule(self.lists[list].lane, at, Look::Regions { list });
    }

    /// Stands in for the scopes of a service while none is known.
    pub(super) fn placeholder(&self, account: usize, service: &str) -> Scope {
        let Account { name, provider_name, .. } = &self.accounts[account].account;
        Scope {
            provider: Arc::clone(provider_name),
            account: Arc::clone(name),
            project: "".into(),
            region: "".into(),
            service: service.into(),
        }
    }
}
