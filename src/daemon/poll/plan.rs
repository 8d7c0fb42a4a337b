//! What a result means: for the snapshot, for the gates, and for what is due next.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, AccountState};
use super::look::{Done, Look};
use super::{LaneOwner, Poller, Started};
use crate::call::{CallError, CallErrorKind};
use crate::domain::absence::Absence;
use crate::domain::due::LaneId;
use crate::domain::gate::Gate;
use crate::domain::identity::{ResourceId, Scope};
use crate::domain::listing::{Inspection, Listing};
use crate::domain::reason::{Failure, Reason};
use crate::domain::schedule;
use crate::domain::snapshot::{Change, ScopeView, Snapshot};

/// A listing that would remove most of a scope is asked for again after this, before anything is removed.
const CONFIRM: Duration = Duration::from_mins(1);
/// A listing that lacks a permission is tried again after this at the latest.
const PERMISSION_RETRY: Duration = Duration::from_mins(5);
/// In a single round, a throttled look is put back this many times before it counts as failed.
const THROTTLED_TRIES: u32 = 5;

/// Whether to go on for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The daemon: every look plans the next.
    Continuous,
    /// As long as somebody follows one resource: listings go on, details only of resources with this id, and of what
    /// somebody wishes to know.
    Following {
        /// This resource.
        only: ResourceId,
    },
    /// One round: every look once; with an id, details only of resources with that id.
    Once {
        /// Look only at this resource.
        only: Option<ResourceId>,
    },
}

impl Mode {
    /// Ends by itself.
    pub fn is_once(&self) -> bool {
        matches!(self, Self::Once { .. })
    }

    fn wants(&self, id: &str) -> bool {
        match self {
            Self::Once { only: Some(only) } | Self::Following { only } => &**only == id,
            Self::Continuous | Self::Once { only: None } => true,
        }
    }
}

/// A scope with its lanes and the gate before its detail calls.
#[derive(Debug)]
pub(super) struct ScopeState {
    pub scope: Arc<Scope>,
    pub gate: Gate,
    pub account: usize,
    pub listing: LaneId,
    pub details: LaneId,
    /// When its key was refused last.
    pub refused_at: Option<Duration>,
    /// When it is listed next; a planned listing for another time is out of date.
    pub next_listing: Duration,
    pub too_large_told: bool,
    /// What speaks for it that it is gone.
    pub absence: Absence,
    /// It is gone. Its place is kept for looks that still come back, and for itself, should it come back.
    pub gone: bool,
    /// That it stays only because the configuration names it was told.
    pub kept_told: bool,
}

impl Poller {
    /// What was known of its scopes is taken out of `restored`.
    pub(super) fn add_account(&mut self, account: Account, restored: &mut Snapshot) {
        let index = self.accounts.len();
        self.preset(&account);
        let services = account.services.clone();
        self.accounts.push(AccountState { account, gate: Gate::default(), accepted_at: None });
        for service in services {
            self.add_service(index, service, restored);
        }
    }

    /// The scopes of one service of an account, with what is known of them.
    pub(super) fn add_service(&mut self, account: usize, service: &'static str, restored: &mut Snapshot) {
        match self.accounts[account].account.provider.configured_scopes(service) {
            Some(scopes) => {
                for scope in scopes {
                    let known = restored.scopes.remove(&scope);
                    self.add_scope(account, scope, known);
                }
            }
            None => self.add_listed_scopes(account, service, restored),
        }
    }

    /// The counters of its calls exist from now on.
    pub(super) fn preset(&self, account: &Account) {
        let reading = account.services.iter().flat_map(|service| account.provider.calls(service).reading());
        let actions: Vec<_> = reading.chain(account.provider.key_calls()).collect();
        self.telemetry.preset_account(&account.provider_name, &account.name, &actions);
    }

    /// A look is out of date when it was planned anew meanwhile.
    pub(super) fn is_current(&self, look: &Look, due: Duration) -> bool {
        match look {
            Look::Regions { list } => self.lists[*list].next == due,
            Look::Listing { scope } | Look::Detail { scope, .. } if self.scopes[*scope].gone => false,
            Look::Listing { scope } => self.scopes[*scope].next_listing == due,
            Look::Detail { scope, id } => {
                let view = self.snapshot.scopes.get(&self.scopes[*scope].scope);
                let planned = view.and_then(|view| view.resources.get(id)).and_then(|resource| resource.due);
                planned == Some(due)
            }
        }
    }

    pub(super) fn fold(&mut self, started: Started, done: Done) {
        let now = self.clock.elapsed();
        self.tell_gates(&started, &done, now);
        match (started.look, done) {
            (Look::Regions { list }, Done::Regions(result)) => self.fold_regions(list, result, now),
            (Look::Listing { scope } | Look::Detail { scope, .. }, _) if self.scopes[scope].gone => {}
            (Look::Listing { scope }, Done::Listing(result)) => {
                self.fold_listing(scope, result, now.saturating_sub(started.at), now);
            }
            (Look::Detail { scope, id }, Done::Detail(result)) => self.fold_detail(scope, &id, result, now),
            (look, _) => self.fold_panic(look, now),
        }
    }

    fn fold_listing(
        &mut self,
        index: usize,
        result: Result<Listing, CallError>,
        took: Duration,
        now: Duration,
    ) {
        let scope = Arc::clone(&self.scopes[index].scope);
        let kind = result.as_ref().err().map(|error| error.kind);
        if kind != Some(CallErrorKind::NotSent) {
            self.telemetry.round(&scope);
        }
        let throttled = match result {
            Ok(listing) => {
                let throttled = matches!(listing.incomplete, Some((Reason::Throttled, _)));
                if listing.incomplete.is_none() {
                    self.scopes[index].absence.answered();
                }
                self.absorb_listing(index, &scope, listing, took, now);
                throttled
            }
            Err(error) => {
                if error.kind == CallErrorKind::NoSuchProject && self.project_denied(index, now) {
                    return;
                }
                let failure = self.with_why_it_stays(index, self.failure(&error));
                self.scope_failed(&scope, failure, error.kind);
                matches!(error.kind, CallErrorKind::Throttled(_))
            }
        };
        let failures = self.snapshot.scopes.get(&scope).map_or(0, |view| view.listing_failures);
        if throttled && self.is_throttled_in_one_round(CallErrorKind::Throttled(None), failures) {
            self.list_now(index, now);
        }
        let wait = self.wait_after_listing(self.scopes[index].account, &scope, kind, failures, now);
        self.plan_listing(index, now + wait);
    }

    /// When a scope, or the regions of an account, are listed again.
    pub(super) fn wait_after_listing(
        &self,
        account: usize,
        scope: &Scope,
        kind: Option<CallErrorKind>,
        failures: u32,
        now: Duration,
    ) -> Duration {
        let view = self.snapshot.scopes.get(scope);
        let shrinking = view.is_some_and(|view| view.is_shrinking());
        let regular = match view {
            Some(view) => self.regular_listing(scope, view),
            None => schedule::next_listing(scope, &self.policy, failures),
        };
        match kind {
            // The gate says when; this one goes behind all that wait for it, so that probes rotate.
            Some(CallErrorKind::KeyDenied | CallErrorKind::NotSent) => {
                self.behind_the_gate(account, now).unwrap_or(regular)
            }
            // Somebody is mending the policy right now.
            Some(CallErrorKind::PermissionDenied) => regular.min(PERMISSION_RETRY),
            None if shrinking => regular.min(CONFIRM),
            _ => regular,
        }
    }

    /// A listing that carries certificates is due as often as the most urgent of them.
    pub(super) fn regular_listing(&self, scope: &Scope, view: &ScopeView) -> Duration {
        let carried = view.resources.iter().filter(|resource| resource.carried).map(|resource| &**resource);
        schedule::next_carrying_listing(scope, &self.policy, view.listing_failures, carried, self.clock.now())
    }

    /// A single round has no next time for what was throttled.
    pub(super) fn is_throttled_in_one_round(&self, kind: CallErrorKind, failures: u32) -> bool {
        self.mode.is_once() && matches!(kind, CallErrorKind::Throttled(_)) && failures < THROTTLED_TRIES
    }

    fn absorb_listing(
        &mut self,
        index: usize,
        scope: &Arc<Scope>,
        listing: Listing,
        took: Duration,
        now: Duration,
    ) {
        let wall = self.clock.now();
        let mut listing = listing;
        self.bring_known_tags(scope, &mut listing);
        let filter = &self.accounts[self.scopes[index].account].account.filter;
        let all = listing.resources.len();
        listing.resources.retain(|listed| filter.keeps(scope, listed));
        let (excluded, filtered_by) = (all - listing.resources.len(), filter.fingerprint());
        if let Some((reason, text)) = &listing.incomplete {
            self.telemetry.scope_error(scope, *reason);
            tracing::warn!(scope = %scope, error = text.as_str(), "listing incomplete, nothing is removed");
        }
        for remark in &listing.remarks {
            self.telemetry.scope_error(scope, remark.reason);
            tracing::warn!(scope = %scope, error = remark.text.as_str(), "part of a listing failed, what was known stays");
        }
        let view = self.snapshot.scope_mut(scope);
        let was_up = view.is_up();
        view.excluded = excluded;
        if listing.incomplete.is_none() {
            // what another filter kept is gone only now
            view.filtered_by = filtered_by;
        }
        let changes = view.absorb_listing(listing, took, wall);
        if !was_up && view.is_up() {
            tracing::info!(scope = %scope, resources = view.resources.len(), "scope is read well");
        }
        for change in changes {
            if let Change::LookNow(id) = change {
                self.plan_detail(index, &id, now);
            }
        }
        self.tell_if_too_large(index);
    }

    /// Tags that were not told this time are those known before, also for the filter: an answer without tags must not
    /// put a resource out of sight.
    fn bring_known_tags(&self, scope: &Arc<Scope>, listing: &mut Listing) {
        let Some(view) = self.snapshot.scopes.get(scope) else { return };
        for listed in listing.resources.iter_mut().filter(|listed| !listed.tags_known) {
            if let Some(known) = view.resources.get(&listed.id) {
                listed.facts.tags.clone_from(&known.facts.tags);
            }
        }
    }

    fn fold_detail(
        &mut self,
        index: usize,
        id: &ResourceId,
        result: Result<Inspection, CallError>,
        now: Duration,
    ) {
        let scope = Arc::clone(&self.scopes[index].scope);
        let wall = self.clock.now();
        let kind = result.as_ref().err().map(|error| error.kind);
        self.set_places(index, matches!(kind, Some(CallErrorKind::Timeout | CallErrorKind::Unreachable)));
        match result {
            Ok(inspection) => {
                if matches!(inspection, Inspection::ReadInPart(..)) {
                    self.telemetry.scope_error(&scope, Reason::Unreadable);
                }
                let gone = inspection == Inspection::Gone;
                let view = self.snapshot.scope_mut(&scope);
                let first = view.resources.get(id).is_some_and(|resource| resource.reading.is_none());
                let Some(resource) = view.absorb_inspection(id, inspection, wall) else { return };
                let wait = if first && resource.failures_in_a_row == 0 {
                    schedule::second_look(&scope, resource, &self.policy, wall)
                } else {
                    schedule::next_look(&scope, resource, &self.policy, wall)
                };
                self.plan_next_detail(index, id, now + wait);
                if gone {
                    self.plan_listing(index, now);
                }
            }
            Err(error) => self.detail_failed(index, &scope, id, &error, now),
        }
    }

    /// Enough places to use the pace; a single one while no answer comes, so that silence takes little room.
    fn set_places(&mut self, index: usize, silent: bool) {
        let state = &self.scopes[index];
        let rate = self.accounts[state.account].account.provider.inspect_rate(&state.scope);
        self.due.set_places(state.details, if silent { 1 } else { places(rate) });
    }

    fn detail_failed(
        &mut self,
        index: usize,
        scope: &Arc<Scope>,
        id: &ResourceId,
        error: &CallError,
        now: Duration,
    ) {
        if matches!(error.kind, CallErrorKind::KeyDenied | CallErrorKind::NotSent) {
            let account = self.scopes[index].account;
            let wait = self.behind_the_gate(account, now).unwrap_or(PERMISSION_RETRY);
            return self.plan_next_detail(index, id, now + wait);
        }
        let failure = self.failure(error);
        self.telemetry.scope_error(scope, failure.reason);
        let wall = failure.at;
        let view = self.snapshot.scope_mut(scope);
        let (was_up, text) = (view.is_up(), failure.text.clone());
        view.inspection_failed(id, failure);
        let is_up = view.is_up();
        let Some(resource) = view.resources.get(id) else { return };
        let failures = resource.failures_in_a_row;
        tell_failed_look(scope, id, &text, failures, was_up && !is_up);
        let wait = match error.kind {
            CallErrorKind::Throttled(_) => Duration::ZERO,
            _ => schedule::next_look(scope, resource, &self.policy, wall),
        };
        if matches!(error.kind, CallErrorKind::Throttled(_))
            && self.mode.is_once()
            && failures < THROTTLED_TRIES
        {
            self.plan_detail(index, id, now);
        } else {
            self.plan_next_detail(index, id, now + wait);
        }
    }

    /// A listing or the list of regions failed. What a refused key means is told by [`Poller::tell_gates`].
    pub(super) fn scope_failed(&mut self, scope: &Arc<Scope>, failure: Failure, kind: CallErrorKind) {
        if matches!(kind, CallErrorKind::KeyDenied | CallErrorKind::NotSent) {
            return;
        }
        self.telemetry.scope_error(scope, failure.reason);
        let view = self.snapshot.scope_mut(scope);
        if view.listing_failure.is_none() {
            tracing::warn!(scope = %scope, error = &*failure.text, "scope cannot be read, what was known stays");
        } else {
            tracing::debug!(scope = %scope, error = &*failure.text, "scope still cannot be read");
        }
        view.listing_failed(failure);
    }

    fn fold_panic(&mut self, look: Look, now: Duration) {
        tracing::error!(look = ?look, "a look ended in a defect of notafter");
        let at = self.clock.now();
        let failure =
            Failure { reason: Reason::Internal, text: "a defect of notafter ended the look".into(), at };
        match look {
            Look::Regions { list } => self.plan_regions(list, now + self.policy.discover_every),
            Look::Listing { scope: index } => {
                let scope = Arc::clone(&self.scopes[index].scope);
                self.telemetry.round(&scope);
                self.scope_failed(&scope, failure, CallErrorKind::Refused);
                self.plan_listing(index, now + self.policy.discover_every);
            }
            Look::Detail { scope: index, id } => {
                let scope = Arc::clone(&self.scopes[index].scope);
                self.telemetry.scope_error(&scope, Reason::Internal);
                self.snapshot.scope_mut(&scope).inspection_failed(&id, failure);
                self.plan_next_detail(index, &id, now + self.policy.max_age);
            }
        }
    }

    /// Adds a scope, with what is known of it from before.
    pub(super) fn add_scope(&mut self, account: usize, scope: Scope, known: Option<Arc<ScopeView>>) {
        let scope = Arc::new(scope);
        if let Some(&index) = self.by_scope.get(&scope) {
            return self.bring_back(index);
        }
        self.telemetry.preset_scope(&scope);
        let resumed = known.is_some();
        self.snapshot.scopes.insert(Arc::clone(&scope), known.unwrap_or_default());
        self.snapshot.revision += 1;
        let index = self.scopes.len();
        let rate = self.accounts[account].account.provider.inspect_rate(&scope);
        let listing = self.add_lane(account, None, 1);
        let details = self.add_lane(account, Some(index), places(rate));
        self.by_scope.insert(Arc::clone(&scope), index);
        let (gate, next_listing) = (Gate::open(), Duration::ZERO);
        self.scopes.push(ScopeState {
            refused_at: None,
            scope,
            gate,
            account,
            listing,
            details,
            next_listing,
            too_large_told: false,
            absence: Absence::default(),
            gone: false,
            kept_told: false,
        });
        if resumed {
            self.resume(index);
        } else {
            self.list_now(index, self.clock.elapsed());
        }
    }

    pub(super) fn add_lane(&mut self, account: usize, details_of: Option<usize>, places: usize) -> LaneId {
        let lane = self.due.add_lane(places);
        self.lanes.push(LaneOwner { lane, account, details_of });
        lane
    }

    fn plan_listing(&mut self, index: usize, at: Duration) {
        if !self.mode.is_once() {
            self.list_now(index, at);
        }
    }

    pub(super) fn list_now(&mut self, index: usize, at: Duration) {
        self.scopes[index].next_listing = at;
        self.due.schedule(self.scopes[index].listing, at, Look::Listing { scope: index });
    }

    fn plan_next_detail(&mut self, index: usize, id: &ResourceId, at: Duration) {
        if !self.mode.is_once() {
            self.plan_detail(index, id, at);
        }
    }

    pub(super) fn plan_detail(&mut self, index: usize, id: &ResourceId, at: Duration) {
        if self.mode.wants(id) {
            self.plan_wished(index, id, at);
        }
    }

    /// The same for one that somebody asked for.
    pub(super) fn plan_wished(&mut self, index: usize, id: &ResourceId, at: Duration) {
        let state = &self.scopes[index];
        self.snapshot.scope_mut(&state.scope).plan(id, at);
        self.due.schedule(state.details, at, Look::Detail { scope: index, id: Arc::clone(id) });
    }

    /// A scope that has more resources than its pace can ask within `max_age` breaks the promise, and says so.
    fn tell_if_too_large(&mut self, index: usize) {
        let state = &self.scopes[index];
        let Some(view) = self.snapshot.scopes.get(&state.scope) else { return };
        let rate = self.accounts[state.account].account.provider.inspect_rate(&state.scope);
        let load = schedule::load(
            view.resources.iter().filter(|r| !r.carried).map(|r| &**r),
            rate,
            &self.policy,
            self.clock.now(),
        );
        let too_large = load.is_too_large(&self.policy);
        if too_large && !state.too_large_told {
            tracing::warn!(
                scope = %state.scope, resources = view.resources.len(), calls_per_second = rate,
                needed_per_second = load.needed_per_second, round_takes_seconds = load.round.as_secs(),
                max_age_seconds = self.policy.max_age.as_secs(),
                "the scope is too large for its pace to keep `max_age`; raise `rate_limit`, or `max_age`"
            );
        }
        self.scopes[index].too_large_told = too_large;
    }

    pub(super) fn failure(&self, error: &CallError) -> Failure {
        Failure { reason: error.kind.reason(), text: error.to_string().into(), at: self.clock.now() }
    }
}

/// How many detail calls of a scope may be under way: enough to use its pace at a second a call, never many.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 2..=64
pub(super) fn places(calls_per_second: f64) -> usize {
    (calls_per_second.ceil().clamp(1.0, 63.0) as usize) + 1
}

/// The first failure of a resource is worth a line, its repetition is not.
fn tell_failed_look(scope: &Scope, id: &str, text: &str, failures: u32, scope_went_down: bool) {
    if scope_went_down {
        tracing::warn!(scope = %scope, error = text, "looks in this scope fail, what was known stays");
    }
    if failures == 1 {
        tracing::warn!(scope = %scope, resource = id, error = text, "look failed, what was known stays");
    } else {
        tracing::debug!(scope = %scope, resource = id, error = text, failures, "look failed again");
    }
}
