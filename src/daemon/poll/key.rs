//! What an answer says about the key, and what follows: for the account, for the scope, for those who wait.

use std::sync::Arc;
use std::time::Duration;

use super::look::{Done, Look};
use super::{Poller, Started};
use crate::call::{CallError, CallErrorKind};
use crate::domain::reason::Reason;

/// A look that was refused goes behind those that wait for the same gate.
const BEHIND: Duration = Duration::from_secs(1);

/// What an answer says about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The cloud knows it.
    Accepted,
    /// The cloud does not accept it.
    Refused,
    /// Nothing: no answer, or one that may come from somebody in between.
    Silent,
    /// The call was not made.
    NotSent,
}

impl Word {
    fn of(done: &Done) -> Self {
        match error_of(done) {
            _ if matches!(done, Done::Panicked) => Self::Silent,
            None => Self::Accepted,
            Some(error) => match error.kind {
                CallErrorKind::KeyDenied => Self::Refused,
                CallErrorKind::PermissionDenied | CallErrorKind::NoSuchProject => Self::Accepted,
                CallErrorKind::Refused if error.code.is_some() => Self::Accepted,
                CallErrorKind::NotSent => Self::NotSent,
                _ => Self::Silent,
            },
        }
    }
}

impl Poller {
    /// Tells the gates what the answer says about the key, and lets those run who waited for it.
    pub(super) fn tell_gates(&mut self, started: &Started, done: &Done, now: Duration) {
        let owner = self.lanes[started.lane.index()];
        let scope = match started.look {
            Look::Regions { .. } => None,
            Look::Listing { scope } | Look::Detail { scope, .. } => Some(scope),
        };
        let scope = scope.filter(|scope| !self.scopes[*scope].gone);
        match Word::of(done) {
            Word::Accepted => self.key_accepted(owner.account, scope, started.at, now),
            Word::Refused => self.key_refused(owner.account, scope, started, error_of(done), now),
            Word::Silent => self.accounts[owner.account].gate.undecided(started.at, now),
            Word::NotSent => {}
        }
        if let Some(scope) = owner.details_of {
            self.tell_detail_gate(scope, started.at, done, now);
        }
        for lane in self.lanes.iter().filter(|lane| lane.account == owner.account) {
            self.due.unpark(lane.lane);
        }
    }

    /// How long until the gate of an account lets the next probe through, and a little more; `None` while it is open.
    pub(super) fn behind_the_gate(&self, account: usize, now: Duration) -> Option<Duration> {
        self.accounts[account].gate.closed_until().map(|until| until.saturating_sub(now) + BEHIND)
    }

    fn key_accepted(&mut self, account: usize, scope: Option<usize>, admitted: Duration, now: Duration) {
        let state = &mut self.accounts[account];
        state.accepted_at = Some(now);
        let recovered = state.gate.accepted(admitted);
        let name = Arc::clone(&state.account.name);
        if let Some(scope) = scope {
            self.scopes[scope].refused_at = None;
            let scope = Arc::clone(&self.scopes[scope].scope);
            if self.snapshot.scopes.get(&scope).is_some_and(|view| view.key_failure.is_some()) {
                self.snapshot.scope_mut(&scope).key_failure = None;
            }
        }
        if recovered {
            tracing::info!(account = &*name, "the key is accepted again");
            for scope in
                self.snapshot.scopes.keys().filter(|scope| scope.account == name).cloned().collect::<Vec<_>>()
            {
                self.snapshot.scope_mut(&scope).key_failure = None;
            }
        }
    }

    /// A refusal closes the account. Only where the same scope refuses again, and others accepted the key in between,
    /// it is that scope's own affair.
    fn key_refused(
        &mut self,
        account: usize,
        scope: Option<usize>,
        started: &Started,
        error: Option<&CallError>,
        now: Duration,
    ) {
        let state = &mut self.accounts[account];
        let accepted_at = state.accepted_at;
        let refused_before = scope.and_then(|scope| self.scopes[scope].refused_at);
        let alone =
            refused_before.is_some_and(|refused| accepted_at.is_some_and(|accepted| accepted > refused));
        let name = Arc::clone(&state.account.name);
        if alone {
            state.gate.given_back();
        } else {
            state.gate.refused(started.at, now);
        }
        let failure = error.map(|error| self.failure(error));
        let Some(failure) = failure else { return };
        let concerned: Vec<_> = match scope.filter(|_| alone) {
            Some(scope) => vec![Arc::clone(&self.scopes[scope].scope)],
            None => self.snapshot.scopes.keys().filter(|scope| scope.account == name).cloned().collect(),
        };
        if let Some(scope) = scope {
            self.scopes[scope].refused_at = Some(now);
            self.telemetry.scope_error(&self.scopes[scope].scope, Reason::Denied);
        } else if let Look::Regions { list } = started.look {
            let placeholder = self.placeholder(account, self.lists[list].service);
            self.telemetry.scope_error(&placeholder, Reason::Denied);
        }
        tracing::warn!(
            account = &*name,
            scopes = concerned.len(),
            error = &*failure.text,
            "the key is refused"
        );
        for scope in concerned {
            self.snapshot.scope_mut(&scope).key_refused(failure.clone());
        }
    }

    fn tell_detail_gate(&mut self, scope: usize, admitted: Duration, done: &Done, now: Duration) {
        let gate = &mut self.scopes[scope].gate;
        match Word::of(done) {
            Word::Silent => gate.undecided(admitted, now),
            Word::Refused | Word::NotSent => gate.given_back(),
            Word::Accepted => match error_of(done).map(|error| error.kind) {
                Some(CallErrorKind::PermissionDenied) => gate.refused(admitted, now),
                _ => drop(gate.accepted(admitted)),
            },
        }
    }
}

fn error_of(done: &Done) -> Option<&CallError> {
    match done {
        Done::Regions(result) => result.as_ref().err(),
        Done::Listing(result) => result.as_ref().err(),
        Done::Detail(result) => result.as_ref().err(),
        Done::Panicked => None,
    }
}
