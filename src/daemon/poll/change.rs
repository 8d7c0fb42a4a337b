//! Other accounts and another policy while the loop runs, as a reload wants it.
//!
//! An account whose provider is the same object is the same account: its gates, paces, plans and the looks that are under
//! way go on. One that was made anew goes on as after a restart, with everything that was known. What is not wanted any
//! more leaves the snapshot and the counters, and its looks are dropped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, Id};

use super::account::{Account, AccountState};
use super::look::Look;
use super::plan::{ScopeState, places};
use super::regions::RegionsState;
use super::{Poller, Started};
use crate::domain::due::{DueList, LaneId};
use crate::domain::identity::{ResourceId, Scope};
use crate::domain::policy::PollPolicy;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;

/// What is polled from now on.
#[derive(Debug)]
pub struct Change {
    accounts: Vec<Account>,
    policy: PollPolicy,
    done: oneshot::Sender<()>,
}

/// Tells the poll loop of changes.
#[derive(Debug, Clone)]
pub struct Changes(mpsc::Sender<Change>);

pub(super) fn channel() -> (Changes, mpsc::Receiver<Change>) {
    let (sender, receiver) = mpsc::channel(1);
    (Changes(sender), receiver)
}

impl Changes {
    /// Has these accounts polled from now on, and waits until that is so. Without a loop nothing happens.
    pub async fn apply(&self, accounts: Vec<Account>, policy: PollPolicy) {
        let (done, seen) = oneshot::channel();
        if self.0.send(Change { accounts, policy, done }).await.is_ok() {
            // an error means that the loop has ended, and with it what would have changed
            let _ = seen.await;
        }
    }
}

/// A look that goes on.
struct Flight {
    id: Id,
    at: Duration,
    task: AbortHandle,
}

/// What is under way, by what it is about.
#[derive(Default)]
struct Flights {
    regions: HashMap<(usize, &'static str), Flight>,
    listings: HashMap<usize, Flight>,
    details: HashMap<(usize, ResourceId), Vec<Flight>>,
}

/// The loop's knowledge from before the change; numbers are those of then.
struct Before {
    accounts: Vec<Option<AccountState>>,
    scopes: Vec<ScopeState>,
    lists: Vec<RegionsState>,
    flights: Flights,
    snapshot: Snapshot,
}

impl Poller {
    /// From now on these accounts, by that policy.
    pub(super) fn change(&mut self, change: Change) {
        let Change { accounts, policy, done } = change;
        let mut before = self.take_all();
        self.policy = policy;
        for account in accounts {
            let same = |state: &Option<AccountState>| {
                state.as_ref().is_some_and(|state| Arc::ptr_eq(&state.account.provider, &account.provider))
            };
            match before.accounts.iter().position(same) {
                Some(number) => self.adopt(account, number, &mut before),
                None => self.add_account(account, &mut before.snapshot),
            }
        }
        self.part_with(before);
        self.publish_now(self.clock.elapsed());
        // whoever asked may have gone
        let _ = done.send(());
    }

    fn take_all(&mut self) -> Before {
        let snapshot = std::mem::take(&mut self.snapshot);
        self.snapshot.revision = snapshot.revision + 1;
        self.snapshot.backlog = snapshot.backlog;
        (self.due, self.lanes) = (DueList::default(), Vec::new());
        self.by_scope.clear();
        let lists = std::mem::take(&mut self.lists);
        let mut flights = Flights::default();
        for (id, Started { look, at, task, .. }) in self.under_way.drain() {
            let flight = Flight { id, at, task };
            match look {
                Look::Regions { list } => {
                    flights.regions.insert((lists[list].account, lists[list].service), flight);
                }
                Look::Listing { scope } => {
                    flights.listings.insert(scope, flight);
                }
                Look::Detail { scope, id } => flights.details.entry((scope, id)).or_default().push(flight),
            }
        }
        let accounts = std::mem::take(&mut self.accounts).into_iter().map(Some).collect();
        Before { accounts, scopes: std::mem::take(&mut self.scopes), lists, flights, snapshot }
    }

    /// Goes on with an account where it was; only what it watches and keeps may be different.
    fn adopt(&mut self, account: Account, number: usize, before: &mut Before) {
        let index = self.accounts.len();
        let Some(old) = before.accounts[number].take() else { return };
        self.preset(&account);
        let services = account.services.clone();
        self.accounts.push(AccountState { account, ..old });
        for service in services {
            if old.account.services.contains(&service) {
                self.adopt_service(index, service, number, before);
            } else {
                self.add_service(index, service, &mut before.snapshot);
            }
        }
    }

    fn adopt_service(&mut self, account: usize, service: &'static str, number: usize, before: &mut Before) {
        for place in 0..before.scopes.len() {
            let state = &before.scopes[place];
            if state.account == number && !state.gone && *state.scope.service == *service {
                self.adopt_scope(account, place, before);
            }
        }
        let Some(list) = before.lists.iter().find(|list| list.account == number && list.service == service)
        else {
            return;
        };
        let placeholder = self.placeholder(account, service);
        if let Some((scope, view)) = before.snapshot.scopes.remove_entry(&placeholder) {
            self.snapshot.scopes.insert(scope, view);
        }
        if let Some((scope, listed)) = before.snapshot.regions_listed.remove_entry(&placeholder) {
            self.snapshot.regions_listed.insert(scope, listed);
        }
        let (next, incomplete_told) = (list.next, list.incomplete_told);
        let lane = self.add_lane(account, None, 1);
        let list = self.lists.len();
        self.lists.push(RegionsState { account, service, lane, next, incomplete_told });
        match before.flights.regions.remove(&(number, service)) {
            Some(flight) => self.goes_on(flight, lane, Look::Regions { list }),
            None => self.regions_now(list, next),
        }
    }

    fn adopt_scope(&mut self, account: usize, place: usize, before: &mut Before) {
        let old = &before.scopes[place];
        let Some((scope, view)) = before.snapshot.scopes.remove_entry(&old.scope) else { return };
        let index = self.scopes.len();
        let rate = self.accounts[account].account.provider.inspect_rate(&scope);
        let listing = self.add_lane(account, None, 1);
        let details = self.add_lane(account, Some(index), places(rate));
        let refiltered = view.listed_at.is_some()
            && view.filtered_by != self.accounts[account].account.filter.fingerprint();
        self.by_scope.insert(Arc::clone(&scope), index);
        self.snapshot.scopes.insert(Arc::clone(&scope), Arc::clone(&view));
        self.scopes.push(ScopeState { gate: old.gate.clone(), scope, account, listing, details, ..*old });
        let next = old.next_listing;
        let flight = before.flights.listings.remove(&place);
        if refiltered {
            self.list_now(index, self.clock.elapsed());
        } else if flight.is_none() {
            self.list_now(index, next);
        }
        if let Some(flight) = flight {
            self.goes_on(flight, listing, Look::Listing { scope: index });
        }
        for resource in view.resources.iter() {
            let flights = before.flights.details.remove(&(place, Arc::clone(&resource.id)));
            self.adopt_resource(resource, index, details, flights);
        }
    }

    /// Looks that are under way go on; without one the next is planned as it was.
    fn adopt_resource(
        &mut self,
        resource: &Resource,
        scope: usize,
        lane: LaneId,
        flights: Option<Vec<Flight>>,
    ) {
        let look = || Look::Detail { scope, id: Arc::clone(&resource.id) };
        match (flights, resource.due) {
            (Some(flights), _) => flights.into_iter().for_each(|flight| self.goes_on(flight, lane, look())),
            (None, Some(due)) => self.due.schedule(lane, due, look()),
            (None, None) => {}
        }
    }

    fn goes_on(&mut self, flight: Flight, lane: LaneId, look: Look) {
        self.due.occupy(lane);
        let Flight { id, at, task } = flight;
        self.under_way.insert(id, Started { lane, look, at, task });
    }

    /// What nobody took over is not wanted any more.
    fn part_with(&mut self, before: Before) {
        let Flights { regions, listings, details } = before.flights;
        let left = regions.into_values().chain(listings.into_values()).chain(details.into_values().flatten());
        left.for_each(|flight| flight.task.abort());
        let gone: Vec<Arc<Scope>> = before
            .snapshot
            .scopes
            .into_keys()
            .filter(|scope| !self.snapshot.scopes.contains_key(scope))
            .collect();
        for scope in gone {
            self.telemetry.forget_scope(&scope);
            let of = |state: &&AccountState| state.account.name == scope.account;
            if let Some(state) = self.accounts.iter().find(of) {
                state.account.provider.forget(&scope);
            }
            tracing::info!(%scope, "the scope is not configured any more, and leaves with all that was known of it");
        }
        for AccountState { account, .. } in before.accounts.into_iter().flatten() {
            let key = |one: &Account| (Arc::clone(&one.name), Arc::clone(&one.provider_name));
            if !self.accounts.iter().any(|state| key(&state.account) == key(&account)) {
                self.telemetry.forget_account(&account.provider_name, &account.name);
            }
        }
    }
}
