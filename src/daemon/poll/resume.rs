//! After a restart: what was known is taken over, and every look goes on with the rest of its interval.
//!
//! Whether a key is accepted is not taken over: the gate of an account begins unproven, as always.

use std::sync::Arc;
use std::time::Duration;

use super::Poller;
use super::look::Look;
use crate::domain::identity::Scope;
use crate::domain::resource::Resource;
use crate::domain::restart;
use crate::domain::snapshot::{ScopeView, Snapshot};

impl Poller {
    /// Plans the looks of a scope whose view was taken over.
    pub(super) fn resume(&mut self, index: usize) {
        let now = self.clock.elapsed();
        let state = &self.scopes[index];
        let view = Arc::clone(&self.snapshot.scopes[&state.scope]);
        self.accounts[state.account].account.provider.recall(&state.scope, &view);
        self.list_now(index, now + self.first_listing(index, &view));
        for (id, due) in self.first_looks(index, &view, now) {
            match view.resources.get(&id).map(|resource| resource.due == Some(due)) {
                // As it stands: changing it would copy it.
                Some(true) => {
                    let details = self.scopes[index].details;
                    self.due.schedule(details, due, Look::Detail { scope: index, id });
                }
                _ => self.plan_detail(index, &id, due),
            }
        }
    }

    /// When the regions of an account are asked for first. A list that was asked for other regions or projects than
    /// are configured now is worth nothing, and neither are the scopes that it named.
    pub(super) fn take_over_regions(
        &mut self,
        account: usize,
        placeholder: &Arc<Scope>,
        restored: &mut Snapshot,
    ) -> Duration {
        let now = self.clock.now();
        match restored.regions_listed.remove(placeholder) {
            Some(list) if list.asked_for == self.accounts[account].account.filter.places => {
                self.snapshot.regions_listed.insert(Arc::clone(placeholder), list);
                restart::rest_of(self.regions_every(), list.at, now)
            }
            Some(_) => {
                drop(take_scopes(restored, placeholder));
                Duration::ZERO
            }
            None => restored.scopes.get(placeholder).map_or(Duration::ZERO, |view| {
                restart::first_listing(view, self.regular_listing(placeholder, view), now)
            }),
        }
    }

    /// A listing that went through another filter is repeated at once.
    fn first_listing(&self, index: usize, view: &ScopeView) -> Duration {
        let state = &self.scopes[index];
        if view.listed_at.is_some()
            && view.filtered_by != self.accounts[state.account].account.filter.fingerprint()
        {
            return Duration::ZERO;
        }
        restart::first_listing(view, self.regular_listing(&state.scope, view), self.clock.now())
    }

    fn first_looks(&self, index: usize, view: &ScopeView, now: Duration) -> Vec<(Arc<str>, Duration)> {
        let state = &self.scopes[index];
        let rate = self.accounts[state.account].account.provider.inspect_rate(&state.scope);
        let planned = |resource: &Resource| resource.due.map(|due| due.saturating_sub(now));
        let looks = restart::first_looks(
            &state.scope,
            view.resources.iter(),
            planned,
            rate,
            &self.policy,
            self.clock.now(),
        );
        looks.into_iter().map(|(resource, wait)| (Arc::clone(&resource.id), now + wait)).collect()
    }
}

/// Takes out what is known of the scopes of a service, its stand-in excepted.
pub(super) fn take_scopes(restored: &mut Snapshot, placeholder: &Scope) -> Vec<(Arc<Scope>, Arc<ScopeView>)> {
    let of_service = |scope: &Scope| {
        !scope.is_placeholder()
            && (&scope.provider, &scope.account, &scope.service)
                == (&placeholder.provider, &placeholder.account, &placeholder.service)
    };
    restored.scopes.extract_if(.., |scope, _| of_service(scope)).collect()
}
