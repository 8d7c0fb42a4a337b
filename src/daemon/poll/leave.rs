//! Scopes that go: taken off the snapshot, the counters and the due list, and brought back should they be listed again.
//! What is enough for that is decided in `domain::absence`.

use std::sync::Arc;
use std::time::Duration;

use super::Poller;
use crate::domain::absence::{self, Absence, Verdict};
use crate::domain::gate::Gate;
use crate::domain::listing::ScopeList;
use crate::domain::reason::{Failure, Reason};
use crate::domain::snapshot::ScopeView;

impl Poller {
    /// Takes in what a list says of the scopes that are known. Returns whether another one is wanted soon.
    pub(super) fn judge_list(&mut self, account: usize, service: &str, list: &ScopeList) -> bool {
        let named = self.accounts[account].account.provider.named();
        let known = self
            .scopes
            .iter_mut()
            .filter(|state| !state.gone && state.account == account && *state.scope.service == *service)
            .map(|state| (&*state.scope, &mut state.absence));
        absence::take_in(list, named, known);
        list.incomplete.is_none() && self.judge(account, service)
    }

    /// The cloud says that the project of a scope does not exist: its list of projects is asked for at once. Returns
    /// whether the scope is gone.
    pub(super) fn project_denied(&mut self, index: usize, now: Duration) -> bool {
        let account = self.scopes[index].account;
        let named = self.accounts[account].account.provider.named();
        let service = Arc::clone(&self.scopes[index].scope.service);
        if self.scopes[index].absence.denied(named)
            && let Some(list) =
                self.lists.iter().position(|list| list.account == account && *list.service == *service)
        {
            self.plan_regions(list, now);
        }
        self.judge(account, &service);
        if self.scopes[index].gone && self.scopes_of(account, &service).is_empty() {
            self.show_that_nothing_is_left(account, &service);
        }
        self.scopes[index].gone
    }

    /// A failure of a scope that is there only because somebody wrote it down says so.
    pub(super) fn with_why_it_stays(&self, index: usize, failure: Failure) -> Failure {
        match self.scopes[index].absence.kept_by() {
            Some(key) => {
                let text = format!("{}; the scope stays because `{key}` names it", failure.text);
                Failure { text: text.into(), ..failure }
            }
            None => failure,
        }
    }

    /// A scope that had gone is listed again: it begins anew.
    pub(super) fn bring_back(&mut self, index: usize) {
        let state = &mut self.scopes[index];
        if !state.gone {
            return;
        }
        (state.gone, state.kept_told, state.absence) = (false, false, Absence::default());
        (state.gate, state.refused_at) = (Gate::open(), None);
        let scope = Arc::clone(&state.scope);
        tracing::info!(%scope, "a scope that was gone is listed again");
        self.telemetry.preset_scope(&scope);
        self.snapshot.scopes.insert(scope, Arc::default());
        self.snapshot.revision += 1;
        self.list_now(index, self.clock.elapsed());
    }

    /// Lets go what is to go. Returns whether the next word decides over some.
    fn judge(&mut self, account: usize, service: &str) -> bool {
        let known = self.scopes_of(account, service);
        let evidence: Vec<_> =
            known.iter().map(|index| (self.scopes[*index].absence, self.answers(*index))).collect();
        let verdicts = absence::verdicts(&evidence);
        for (index, verdict) in known.into_iter().zip(&verdicts) {
            match verdict {
                Verdict::Stays | Verdict::Doubted => {}
                Verdict::Kept(key) => self.tell_that_it_is_kept(index, key),
                Verdict::Gone(why) => self.let_go(index, why),
            }
        }
        verdicts.contains(&Verdict::Doubted)
    }

    /// It is read well and holds something: whatever a list says, it is there.
    fn answers(&self, index: usize) -> bool {
        let view = self.snapshot.scopes.get(&self.scopes[index].scope);
        view.is_some_and(|view| view.is_up() && !view.resources.is_empty())
    }

    fn tell_that_it_is_kept(&mut self, index: usize, key: &str) {
        if !std::mem::replace(&mut self.scopes[index].kept_told, true) {
            let scope = &self.scopes[index].scope;
            tracing::warn!(%scope, key, "the cloud does not know it any more; it stays because the configuration names it");
        }
    }

    pub(super) fn let_go(&mut self, index: usize, why: &str) {
        let state = &mut self.scopes[index];
        state.gone = true;
        let scope = Arc::clone(&state.scope);
        let resources = self.snapshot.scopes.get(&scope).map_or(0, |view| view.resources.len());
        self.snapshot.remove_scope(&scope);
        self.telemetry.forget_scope(&scope);
        self.accounts[self.scopes[index].account].account.provider.forget(&scope);
        tracing::info!(%scope, resources, why, "the scope is gone, and all that was known of it with it");
    }

    /// An account must not vanish from sight with its last scope.
    fn show_that_nothing_is_left(&mut self, account: usize, service: &str) {
        let placeholder = Arc::new(self.placeholder(account, service));
        let text = "none of the projects that were watched exists any more".into();
        let mut view = ScopeView::default();
        view.listing_failed(Failure { reason: Reason::Refused, text, at: self.clock.now() });
        self.telemetry.preset_scope(&placeholder);
        self.snapshot.scopes.insert(placeholder, Arc::new(view));
        self.snapshot.revision += 1;
    }
}
