//! What became of a call: an answer, a reading, a hook's no. Each is written down with the message that tells of it.

use super::keeping::Away;
use super::round::View;
use super::tell::{self, Teller};
use super::work::{self, Answer, Reading};
use super::{Context, Renewals};
use crate::daemon::alerts::event_id;
use crate::domain::alert::message::RenewalNews;
use crate::domain::alert::renewals::{Letter, told_of_success};
use crate::domain::identity::Scope;
use crate::domain::policy::{Hook, RenewalRule};
use crate::domain::renewal::attempt::{Attempt, ResourceKey, Seen, State};
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::method::{Capability, Condition, Method};
use crate::domain::renewal::plan::seated;
use crate::domain::renewal::stopped_at;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Snapshot;
use crate::provider::Sent;

/// So many readings in a row have to fail before nothing more is expected of them.
const TRIES: u32 = 10;

impl Renewals {
    /// What clouds answered to calls, and what hooks forbade, is written down before anything else is done.
    pub(super) async fn write_answers(&mut self) {
        if self.course.answers.is_empty() && self.course.vetoed.is_empty() {
            return;
        }
        let Ok(view) = self.view().await else { return };
        for (id, text) in std::mem::take(&mut self.course.vetoed) {
            self.veto(&view, &id, text).await;
        }
        let mut left = Vec::new();
        for answer in std::mem::take(&mut self.course.answers) {
            if self.write_answer(&view, &answer).await != Ok(true) {
                left.push(answer);
            }
        }
        self.course.answers = left;
    }

    /// `false`: somebody else wrote something meanwhile; to be tried again by what is known then.
    async fn write_answer(&mut self, view: &View, answer: &Answer) -> Result<bool, Away> {
        let (state, text) = match &answer.sent {
            Sent::Accepted { request_id } => (State::Accepted { request_id: request_id.clone() }, ""),
            Sent::Refused { class, code, text, request_id } => {
                let (class, code, request_id) = (*class, code.clone(), request_id.clone());
                (State::Refused { class, code, request_id }, &**text)
            }
            Sent::NotSent { text } => (State::NotSent { text: text.clone() }, &**text),
            Sent::Lost { text } => (State::Stored, &**text),
        };
        let before = view.known.attempts.iter().find(|known| known.id == answer.attempt.id);
        let Some(before) = before.filter(|before| before.state == State::Stored) else {
            // written already, by a commit whose own answer was lost; or overtaken by what was read
            if let Some(known) = before.filter(|known| known.state == state) {
                self.written(known);
            }
            let state = before.map(|known| known.state.as_str());
            tracing::warn!(attempt = &*answer.attempt.id, state, "the answer to a renewal is known already");
            return Ok(true);
        };
        let after = Attempt { state, changed_at: answer.at, ..before.clone() };
        tell_answer(&after, &answer.sent);
        self.write_outcome(view, before, after, "cloud", text).await
    }

    /// A hook said no: the attempt is kept for later, and told once.
    async fn veto(&mut self, view: &View, id: &str, text: String) {
        let Some(before) = view.known.attempts.iter().find(|known| *known.id == *id) else { return };
        // what a person said meanwhile counts more
        if !before.state.is_undecided() {
            return;
        }
        tracing::warn!(attempt = id, resource = %before.key.resource, text, "a hook said no to a renewal; it is tried again");
        let state = State::NotSent { text: text.as_str().into() };
        let after = Attempt { state, changed_at: view.now, ..before.clone() };
        // if it cannot be written, the hook is asked again
        drop(self.write_outcome(view, before, after, "hook", &text).await);
    }

    /// Writes what became of an attempt, with the message that tells of it. `false`: somebody else was faster.
    pub(super) async fn write_outcome(
        &mut self,
        view: &View,
        before: &Attempt,
        after: Attempt,
        who: &str,
        text: &str,
    ) -> Result<bool, Away> {
        let is_held = matches!(after.state, State::NotSent { .. });
        let told_already = before.state == after.state || (before.held && is_held);
        let news = tell::outcome(&after.state, text, self.stops(view, &after)).filter(|_| !told_already);
        let mut change = Change::new(Some(before), after, who, text);
        let letters = self.letters(view, news.map(|news| (&change.attempt, news)).into_iter().collect());
        change.attempt.told = told_of_success(&letters, &change.attempt.id);
        change.attempt.held |= is_held;
        let written = self.write(std::slice::from_ref(&change), &letters, view.now, None).await;
        if written.is_err() {
            self.course.unsure.push(change.attempt.clone());
        }
        let written = written?;
        if written && !letters.is_empty() {
            self.context.written.notify_one();
        }
        if written {
            self.written(&change.attempt);
        }
        Ok(written)
    }

    /// A commit whose own answer was lost may have been made all the same: what follows from it is done now.
    pub(super) fn make_sure(&mut self, view: &View) {
        for attempt in std::mem::take(&mut self.course.unsure) {
            let known = view.known.attempts.iter().find(|known| known.id == attempt.id);
            // an answer that waits still is written, and counted, by itself
            let waits = self.course.answers.iter().any(|answer| answer.attempt.id == attempt.id);
            if !waits && known.is_some_and(|known| known.state == attempt.state) {
                self.written(&attempt);
            }
        }
    }

    fn written(&mut self, attempt: &Attempt) {
        self.count(attempt);
        if attempt.state.was_sent() && !attempt.state.is_open() {
            self.over(attempt);
        }
    }

    /// Whether this outcome is one failure too many.
    pub(super) fn stops(&self, view: &View, after: &Attempt) -> bool {
        let mut attempts = view.known.attempts.clone();
        attempts.retain(|known| known.id != after.id);
        attempts.push(after.clone());
        after.state.has_failed() && stopped_at(&attempts, self.context.policy.stop_after_failures).is_some()
    }

    pub(super) fn letters(&self, view: &View, news: Vec<(&Attempt, RenewalNews)>) -> Vec<Letter> {
        if news.is_empty() {
            return Vec::new();
        }
        let View { now, snapshot, rules, known } = view;
        let page = self.context.page.as_deref();
        let teller = Teller { snapshot, rules, silences: &known.silences, page, now: *now };
        teller.letters(news, &mut || event_id(*now))
    }

    /// What should have been over long ago is not waited for any more: it would keep its account from everything else.
    async fn give_up(&mut self, view: &View) -> bool {
        let mut settled = false;
        for attempt in &view.known.attempts {
            let key = seated(&view.snapshot, &view.rules.accounts, &attempt.key.resource);
            let Some(state) = attempt.given_up(view.now).filter(|_| self.may_give_up(attempt, &key)) else {
                continue;
            };
            let after = Attempt { state, changed_at: view.now, ..attempt.clone() };
            tell_outcome(&after);
            let text = "it should have been over for hours, and what became of it cannot be read";
            settled |= self.write_outcome(view, attempt, after, "rule", text).await == Ok(true);
        }
        settled
    }

    /// Not by a clock that jumped or is wrong, and not because a network is slower to wake up than we are: reading it was
    /// tried often since, and the cloud's clock does not contradict.
    fn may_give_up(&self, attempt: &Attempt, key: &ResourceKey) -> bool {
        let can_be_read = self.context.providers.contains_key(&*key.account);
        let tries =
            if can_be_read { self.course.failed.get(key).copied().unwrap_or(0) } else { self.course.rounds };
        tries >= TRIES && !self.course.beginning.contains(&attempt.id) && self.clock_trouble(key).is_none()
    }

    /// What is under way and was read: whether it is over.
    pub(super) async fn settle_open(&mut self, view: &View, readings: &[Reading]) -> bool {
        let mut settled = false;
        for reading in readings {
            let open = view.known.attempts.iter().filter(|attempt| attempt.state.is_open());
            // by what the cloud knows it: accounts can be renamed
            for attempt in open.filter(|attempt| attempt.key.resource.place() == reading.key.place()) {
                if !self.course.beginning.contains(&attempt.id) {
                    settled |= self.settle_attempt(view, attempt, reading).await;
                }
            }
        }
        // what was read comes first: after a long sleep it is the first word on what was done meanwhile
        settled || self.give_up(view).await
    }

    async fn settle_attempt(&mut self, view: &View, attempt: &Attempt, reading: &Reading) -> bool {
        let Some(seen) = seen(view, reading) else { return false };
        let Some(state) = attempt.settled(&seen, view.now) else { return false };
        // a clock that is wrong makes it overdue too early
        if !matches!(state, State::Confirmed { .. }) && self.clock_trouble(&reading.key).is_some() {
            return false;
        }
        let after = Attempt { state, changed_at: view.now, ..attempt.clone() };
        tell_outcome(&after);
        let text = match &after.state {
            State::FailedLater { text } => text.to_string(),
            _ => String::new(),
        };
        // if it cannot be written, the next reading says the same
        self.write_outcome(view, attempt, after, "cloud", &text).await == Ok(true)
    }

    /// Nothing more is to be done about an attempt but to tell the operator's program, and to look.
    fn over(&mut self, attempt: &Attempt) {
        let key = &attempt.key.resource;
        self.context.wishes.look_at(key.scope(), &key.resource_id);
        if let Some(hook) = self.hook(attempt).filter(|hook| hook.after.is_some()) {
            let hook = hook.clone();
            self.course.work.spawn(work::after(attempt.clone(), hook));
        }
    }

    pub(super) fn hook(&self, attempt: &Attempt) -> Option<&Hook> {
        self.rule(attempt).and_then(|rule| rule.hook.as_ref())
    }

    fn rule(&self, attempt: &Attempt) -> Option<&RenewalRule> {
        self.context.policy.allow.iter().find(|rule| rule.matcher.to_string() == *attempt.rule)
    }

    fn count(&self, attempt: &Attempt) {
        let (scope, telemetry) = (attempt.key.resource.scope(), &self.context.telemetry);
        match tell::outcome(&attempt.state, "", false) {
            Some(RenewalNews::Succeeded { .. }) => telemetry.renewal_done(&scope),
            Some(RenewalNews::Failed { how, .. }) => {
                telemetry.renewal_done(&scope);
                telemetry.renewal_failed(&scope, how);
            }
            _ => {}
        }
    }
}

impl Context {
    /// The resource and how it is renewed, as far as is known.
    fn method<'s>(
        snapshot: &'s Snapshot,
        scope: &Scope,
        id: &str,
    ) -> Option<(&'s Resource, &'static Method)> {
        let resource = tell::resource(snapshot, scope, id)?;
        match tell::capability(scope, resource) {
            Capability::Call(method) => Some((resource, method)),
            Capability::NoApi | Capability::UnknownEngine => None,
        }
    }
}

/// What a reading says of a renewal that is under way.
fn seen(view: &View, reading: &Reading) -> Option<Seen> {
    let found = reading.found.as_ref().ok()?;
    if found.gone {
        return Some(Seen::Gone);
    }
    let scope = reading.key.scope();
    let known = Context::method(&view.snapshot, &scope, &reading.key.resource_id);
    let condition = known.map_or(Condition::NotRunning, |(resource, method)| {
        method.condition(found.detail.status.as_deref().unwrap_or(&resource.facts.status))
    });
    // of what is not watched any more a later end is believed once it should be over
    Some(Seen::Read { at: reading.at, condition, not_after: found.not_after, failed: found.failed.clone() })
}

fn tell_answer(after: &Attempt, sent: &Sent) {
    let (attempt, resource) = (&*after.id, &after.key.resource);
    match sent {
        Sent::Accepted { request_id } => {
            tracing::info!(attempt, %resource, request_id = &**request_id, "the cloud took a renewal");
        }
        Sent::Refused { code, text, request_id, .. } => tracing::error!(
            attempt, %resource, code = &**code, error = &**text, request_id = &**request_id, "the cloud refused a renewal"
        ),
        Sent::NotSent { text } => {
            tracing::warn!(attempt, %resource, error = &**text, "a renewal could not be sent; it is tried again");
        }
        Sent::Lost { text } => tracing::warn!(
            attempt, %resource, error = &**text, "no answer to a renewal; whether it arrived is found out by reading"
        ),
    }
}

fn tell_outcome(after: &Attempt) {
    let (attempt, resource, state) = (&*after.id, &after.key.resource, after.state.as_str());
    match &after.state {
        State::Confirmed { new_not_after } => {
            tracing::info!(attempt, %resource, %new_not_after, "a renewal is confirmed: a later end was read");
        }
        State::FailedLater { text } => {
            tracing::error!(attempt, %resource, state, error = &**text, "a renewal failed");
        }
        _ => tracing::error!(attempt, %resource, state, "a renewal did not help"),
    }
}
