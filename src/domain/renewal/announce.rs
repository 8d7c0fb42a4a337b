//! What people are told of a plan, and what they are asked.

use super::attempt::{Attempt, AttemptKey, By, State};
use super::judge::{Judge, Subject};
use super::plan::{Announcement, Question, Step};
use super::window::Span;

impl Judge<'_> {
    /// Announces what has a window, anew where one passed, and asks for what is missing.
    pub(super) fn tell(&mut self, subject: &Subject<'_>, step: &Step, begins_now: bool) {
        let (Some(window), false) = (step.planned, begins_now) else { return };
        let words = self.world.accounts.get(&*subject.seat.scope.account);
        let owner_tag = words.and_then(|words| words.owner_tag.as_deref());
        let owner: Option<Box<str>> =
            owner_tag.and_then(|tag| subject.seat.resource.tag(tag)).map(Into::into);
        let now = self.world.now;
        let news = match subject.attempt {
            None => Some(self.first_attempt(subject, window)),
            Some(known) => known.planned.filter(|planned| planned.end <= now).map(|passed| Attempt {
                announced_at: Some(now),
                state: if known.state.is_undecided() { State::Announced } else { known.state.clone() },
                // a yes was for the window that was shown
                approval: None,
                held: false,
                planned: Some(window),
                // since when it is overdue: the first one
                missed_at: known.missed_at.or(Some(passed.end)),
                ..known.clone()
            }),
        };
        let current = news.as_ref().or(subject.attempt);
        let asks =
            self.needs_approval(subject) && current.and_then(|attempt| self.approval(attempt)).is_none();
        let id = current.map(|attempt| attempt.id.clone());
        if let (Some(attempt), true) = (id, asks) {
            let resource = subject.key.clone();
            self.ask.push(Question { attempt, resource, planned: Some(window), owner: owner.clone() });
        }
        if let (Some(attempt), Some(call)) = (news, step.call.clone()) {
            self.announce.push(Announcement { attempt, call, asks, owner });
        }
    }

    fn first_attempt(&self, subject: &Subject<'_>, window: Span) -> Attempt {
        let key = AttemptKey { resource: subject.key.clone(), not_after: subject.certificate.not_after };
        let rule = subject.rule.matcher.to_string();
        Attempt::new(key, 1, By::Rule, &rule, Some(window), self.world.now)
    }
}
