//! What a result means: for the snapshot, for the gates, and for what is due next.

use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, AccountState};
use super::look::{Done, Look};
use super::{LaneOwner, Poller, Started};
use crate::call::{CallError, CallErrorKind};
use crate::domain::due::LaneId;
use crate::domain::gate::Gate;
use crate::domain::identity::{ResourceId, Scope};
use crate::domain::listing::{Inspection, Listing};
use crate::domain::reason::{Failure, Reason};
use crate::domain::schedule;
use crate::domain::snapshot::{Change, ScopeView};

/// The regions of an account are asked for this often.
const REGIONS_EVERY: Duration = Duration::from_hours(24);
/// A listing that lacks a permission is tried again after this at the latest.
const PERMISSION_RETRY: Duration = Duration::from_mins(5);
/// In a single round, a throttled look is put back this many times before it counts as failed.
const THROTTLED_TRIES: u32 = 5;

/// Whether to go on for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The daemon: every look plans the next.
    Continuous,
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
            Self::Once { only: Some(only) } => &**only == id,
            _ => true,
        }
    }
}

/// A scope with its lanes and the gate before its detail calls.
#[derive(Debug)]
pub(super) struct ScopeState {
    pub scope: Arc<Scope>,
    pub gate: Gate,
    pub account: usize,
    listing: LaneId,
    details: LaneId,
    /// When it is listed next; a planned listing for another time is out of date.
    next_listing: Duration,
    too_large_told: bool,
}

impl Poller {
    pub(super) fn add_account(&mut self, account: Account) {
        let index = self.accounts.len();
        let reading = account.services.iter().flat_map(|service| account.provider.calls(service).reading());
        let actions: Vec<_> = reading.chain(account.provider.key_calls()).collect();
        self.telemetry.preset_account(&account.provider_name, &account.name, &actions);
        let (provider, services) = (Arc::clone(&account.provider), account.services.clone());
        self.accounts.push(AccountState { account, gate: Gate::default() });
        for service in services {
            if let Some(scopes) = provider.configured_scopes(service) {
                for scope in scopes {
                    self.add_scope(index, scope);
                }
                continue;
            }
            let placeholder = Arc::new(self.placeholder(index, service));
            self.telemetry.preset_scope(&placeholder);
            self.snapshot.scope_mut(&placeholder);
            let lane = self.add_lane(index, None, 1);
            self.due.schedule(lane, self.clock.elapsed(), Look::Regions { account: index, service });
        }
    }

    /// A look is out of date when it was planned anew meanwhile.
    pub(super) fn is_current(&self, look: &Look, due: Duration) -> bool {
        match look {
            Look::Regions { .. } => true,
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
        let owner = self.lanes[started.lane.index()];
        self.ask_gates(owner, error_of(&done), matches!(done, Done::Panicked), now);
        match (started.look, done) {
            (Look::Regions { account, service }, Done::Regions(result)) => {
                self.fold_regions(started.lane, account, service, result, now);
            }
            (Look::Listing { scope }, Done::Listing(result)) => {
                self.fold_listing(scope, result, now.saturating_sub(started.at), now);
            }
            (Look::Detail { scope, id }, Done::Detail(result)) => self.fold_detail(scope, &id, result, now),
            (look, _) => self.fold_panic(started.lane, look, now),
        }
    }

    /// Tells the gates what the answer says about the key, and lets those run who waited for it.
    fn ask_gates(&mut self, owner: LaneOwner, error: Option<&CallError>, panicked: bool, now: Duration) {
        let kind = error.map(|error| error.kind);
        let undecided = panicked || matches!(kind, Some(CallErrorKind::Unreachable | CallErrorKind::Timeout));
        let state = &mut self.accounts[owner.account];
        match kind {
            _ if undecided => state.gate.undecided(now),
            Some(CallErrorKind::KeyDenied) => state.gate.refused(now),
            _ if state.gate.accepted() => {
                tracing::info!(account = &*state.account.name, "the key is accepted again");
                self.list_account_again(owner.account, now);
            }
            _ => {}
        }
        if let Some(scope) = owner.details_of {
            let gate = &mut self.scopes[scope].gate;
            match kind {
                _ if undecided => gate.undecided(now),
                Some(CallErrorKind::PermissionDenied) => gate.refused(now),
                Some(CallErrorKind::KeyDenied) => gate.undecided(now),
                _ => drop(gate.accepted()),
            }
        }
        for lane in self.lanes.iter().filter(|lane| lane.account == owner.account) {
            self.due.unpark(lane.lane);
        }
    }

    fn fold_regions(
        &mut self,
        lane: LaneId,
        account: usize,
        service: &'static str,
        result: Result<Vec<Scope>, CallError>,
        now: Duration,
    ) {
        let placeholder = Arc::new(self.placeholder(account, service));
        let wait = match result {
            Ok(scopes) => {
                self.snapshot.remove_scope(&placeholder);
                self.telemetry.forget_scope(&placeholder);
                for scope in scopes {
                    self.add_scope(account, scope);
                }
                REGIONS_EVERY
            }
            Err(error) => {
                let known = self.scopes.iter().any(|s| s.account == account && *s.scope.service == *service);
                let failure = self.failure(&error);
                if known {
                    tracing::warn!(scope = %placeholder, error = &*failure.text, "regions cannot be listed anew");
                } else {
                    self.scope_failed(&placeholder, failure, error.kind);
                }
                let failures = self.snapshot.scopes.get(&placeholder).map_or(0, |view| view.listing_failures);
                schedule::next_listing(&placeholder, &self.policy, failures)
            }
        };
        if !self.mode.is_once() {
            self.due.schedule(lane, now + wait, Look::Regions { account, service });
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
        self.telemetry.round(&scope);
        let kind = result.as_ref().err().map(|error| error.kind);
        match result {
            Ok(listing) => self.absorb_listing(index, &scope, listing, took, now),
            Err(error) => {
                let failure = self.failure(&error);
                self.scope_failed(&scope, failure, error.kind);
                self.list_again_in_this_round(index, &error, now);
            }
        }
        let failures = self.snapshot.scopes.get(&scope).map_or(0, |view| view.listing_failures);
        let regular = schedule::next_listing(&scope, &self.policy, failures);
        let wait = match kind {
            // The gate says when a refused key is tried again.
            Some(CallErrorKind::KeyDenied) => Duration::ZERO,
            // Somebody is mending the policy right now.
            Some(CallErrorKind::PermissionDenied) => regular.min(PERMISSION_RETRY),
            _ => regular,
        };
        self.plan_listing(index, now + wait);
    }

    /// A single round has no next time for a listing that was throttled.
    fn list_again_in_this_round(&mut self, index: usize, error: &CallError, now: Duration) {
        let failures =
            self.snapshot.scopes.get(&self.scopes[index].scope).map_or(0, |view| view.listing_failures);
        let throttled = matches!(error.kind, CallErrorKind::Throttled(_));
        if self.mode.is_once() && throttled && failures < THROTTLED_TRIES {
            self.list_now(index, now);
        }
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
        let filter = &self.accounts[self.scopes[index].account].account.filter;
        let all = listing.resources.len();
        let mut listing = listing;
        listing.resources.retain(|listed| filter.keeps(scope, listed));
        let excluded = all - listing.resources.len();
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

    fn fold_detail(
        &mut self,
        index: usize,
        id: &ResourceId,
        result: Result<Inspection, CallError>,
        now: Duration,
    ) {
        let scope = Arc::clone(&self.scopes[index].scope);
        let wall = self.clock.now();
        match result {
            Ok(inspection) => {
                if matches!(inspection, Inspection::ReadInPart(..)) {
                    self.telemetry.scope_error(&scope, Reason::Unreadable);
                }
                let busy = inspection == Inspection::Busy;
                let view = self.snapshot.scope_mut(&scope);
                let first = view.resources.get(id).is_some_and(|resource| resource.looked_at.is_none());
                let Some(resource) = view.absorb_inspection(id, inspection, wall) else { return };
                let wait = match (busy, first) {
                    (true, _) => schedule::look_at_busy(&self.policy),
                    (false, true) => schedule::second_look(&scope, resource, &self.policy, wall),
                    (false, false) => schedule::next_look(&scope, resource, &self.policy, wall),
                };
                self.plan_next_detail(index, id, now + wait);
            }
            Err(error) => self.detail_failed(index, &scope, id, &error, now),
        }
        let rate = self.accounts[self.scopes[index].account].account.provider.inspect_rate(&scope);
        self.due.set_places(self.scopes[index].details, places(rate));
    }

    fn detail_failed(
        &mut self,
        index: usize,
        scope: &Arc<Scope>,
        id: &ResourceId,
        error: &CallError,
        now: Duration,
    ) {
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
        if error.kind == CallErrorKind::KeyDenied {
            self.account_failed(self.scopes[index].account, error);
        }
    }

    /// A listing or the list of regions failed. A refused key concerns every scope of its account.
    fn scope_failed(&mut self, scope: &Arc<Scope>, failure: Failure, kind: CallErrorKind) {
        self.telemetry.scope_error(scope, failure.reason);
        if kind == CallErrorKind::KeyDenied {
            for other in self.snapshot.scopes.keys().cloned().collect::<Vec<_>>() {
                if other.account == scope.account && *other != **scope {
                    self.snapshot.scope_mut(&other).listing_failed(failure.clone());
                }
            }
        }
        let view = self.snapshot.scope_mut(scope);
        if view.listing_failure.is_none() {
            tracing::warn!(scope = %scope, error = &*failure.text, "scope cannot be read, what was known stays");
        } else {
            tracing::debug!(scope = %scope, error = &*failure.text, "scope still cannot be read");
        }
        view.listing_failed(failure);
    }

    fn account_failed(&mut self, account: usize, error: &CallError) {
        let failure = self.failure(error);
        let name = Arc::clone(&self.accounts[account].account.name);
        tracing::warn!(
            account = &*name,
            error = &*failure.text,
            "the key is refused, the account is probed gently"
        );
        for scope in
            self.snapshot.scopes.keys().filter(|scope| scope.account == name).cloned().collect::<Vec<_>>()
        {
            self.snapshot.scope_mut(&scope).listing_failed(failure.clone());
        }
    }

    fn fold_panic(&mut self, lane: LaneId, look: Look, now: Duration) {
        tracing::error!(look = ?look, "a look ended in a defect of notafter");
        let at = self.clock.now();
        let failure =
            Failure { reason: Reason::Internal, text: "a defect of notafter ended the look".into(), at };
        match look {
            Look::Regions { .. } => {
                if !self.mode.is_once() {
                    self.due.schedule(lane, now + self.policy.discover_every, look);
                }
            }
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

    fn add_scope(&mut self, account: usize, scope: Scope) {
        let scope = Arc::new(scope);
        if self.by_scope.contains_key(&scope) {
            return;
        }
        self.telemetry.preset_scope(&scope);
        self.snapshot.scope_mut(&scope);
        let index = self.scopes.len();
        let rate = self.accounts[account].account.provider.inspect_rate(&scope);
        let listing = self.add_lane(account, None, 1);
        let details = self.add_lane(account, Some(index), places(rate));
        self.by_scope.insert(Arc::clone(&scope), index);
        let (gate, next_listing) = (Gate::open(), Duration::ZERO);
        self.scopes.push(ScopeState {
            scope,
            gate,
            account,
            listing,
            details,
            next_listing,
            too_large_told: false,
        });
        self.list_now(index, self.clock.elapsed());
    }

    fn add_lane(&mut self, account: usize, details_of: Option<usize>, places: usize) -> LaneId {
        let lane = self.due.add_lane(places);
        self.lanes.push(LaneOwner { lane, account, details_of });
        lane
    }

    fn list_account_again(&mut self, account: usize, now: Duration) {
        for index in 0..self.scopes.len() {
            if self.scopes[index].account == account {
                self.plan_listing(index, now);
            }
        }
    }

    fn plan_listing(&mut self, index: usize, at: Duration) {
        if !self.mode.is_once() {
            self.list_now(index, at);
        }
    }

    fn list_now(&mut self, index: usize, at: Duration) {
        self.scopes[index].next_listing = at;
        self.due.schedule(self.scopes[index].listing, at, Look::Listing { scope: index });
    }

    fn plan_next_detail(&mut self, index: usize, id: &ResourceId, at: Duration) {
        if !self.mode.is_once() {
            self.plan_detail(index, id, at);
        }
    }

    fn plan_detail(&mut self, index: usize, id: &ResourceId, at: Duration) {
        if !self.mode.wants(id) {
            return;
        }
        let state = &self.scopes[index];
        self.snapshot.scope_mut(&state.scope).plan(id, at);
        self.due.schedule(state.details, at, Look::Detail { scope: index, id: Arc::clone(id) });
    }

    /// A scope that has more resources than its pace can ask within `max_age` breaks the promise, and says so.
    fn tell_if_too_large(&mut self, index: usize) {
        let state = &self.scopes[index];
        let Some(view) = self.snapshot.scopes.get(&state.scope) else { return };
        let rate = self.accounts[state.account].account.provider.inspect_rate(&state.scope);
        let (too_large, round) = too_large(view, rate, self.policy.max_age);
        if too_large && !state.too_large_told {
            tracing::warn!(
                scope = %state.scope, resources = view.resources.len(), calls_per_second = rate,
                round_takes_seconds = round.as_secs(), max_age_seconds = self.policy.max_age.as_secs(),
                "the scope is too large for its pace to keep `max_age`; raise `rate_limit`, or `max_age`"
            );
        }
        self.scopes[index].too_large_told = too_large;
    }

    fn placeholder(&self, account: usize, service: &str) -> Scope {
        let Account { name, provider_name, .. } = &self.accounts[account].account;
        Scope {
            provider: Arc::clone(provider_name),
            account: Arc::clone(name),
            project: "".into(),
            region: "".into(),
            service: service.into(),
        }
    }

    fn failure(&self, error: &CallError) -> Failure {
        Failure { reason: error.kind.reason(), text: error.to_string().into(), at: self.clock.now() }
    }
}

/// Whether one round over a scope takes longer than its data may age, and how long it takes at this rate.
pub(super) fn too_large(view: &ScopeView, calls_per_second: f64, max_age: Duration) -> (bool, Duration) {
    #[allow(clippy::cast_precision_loss)] // a count of resources
    let seconds = view.resources.len() as f64 / calls_per_second.max(f64::MIN_POSITIVE);
    let round = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    (round > max_age, round)
}

/// How many detail calls of a scope may be under way: enough to use its pace at a second a call, never many.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 2..=64
fn places(calls_per_second: f64) -> usize {
    (calls_per_second.ceil().clamp(1.0, 63.0) as usize) + 1
}

fn error_of(done: &Done) -> Option<&CallError> {
    match done {
        Done::Regions(result) => result.as_ref().err(),
        Done::Listing(result) => result.as_ref().err(),
        Done::Detail(result) => result.as_ref().err(),
        Done::Panicked => None,
    }
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
