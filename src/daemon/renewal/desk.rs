//! Orders of people. Each is written down before it is answered; the next round sees it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Context;
use crate::call::BoxFuture;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::attempt::{Approval, Attempt, AttemptKey, By, ResourceKey, State};
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::plan::{Decision, Step};
use crate::domain::renewal::refusal::Refusal;
use crate::domain::renewal::window::Span;
use crate::domain::resource::SAME_END;
use crate::web::inside::{OrderError, Ordered, RenewalDesk, Word};

/// "At once" is meant for now, and not for whenever what stands in the way has gone.
const AT_ONCE: TimeDelta = TimeDelta::hours(1);
/// A yes is not kept for longer than this.
const LONGEST: TimeDelta = TimeDelta::days(14);
/// Somebody else may write at the same moment; this often it is tried again.
const TRIES: u32 = 3;

/// Takes orders.
pub struct Desk {
    pub(super) context: Arc<Context>,
}

impl RenewalDesk for Desk {
    fn approve<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        let Word { by, at_once, seen } = word;
        Box::pin(self.change(by, move |known, now| {
            let attempt = find(known, id, seen)?;
            let is_over = |planned: Span| planned.end <= now;
            if !at_once && attempt.by == By::Rule && attempt.planned.is_some_and(is_over) {
                // the next one is announced in a moment; a yes is for the window that was shown
                return Err(refused(Refusal::NotAnnounced));
            }
            let approval =
                self.approval(attempt.planned.map(|planned| planned.end), attempt, by, at_once, now)?;
            Ok(Attempt {
                state: State::Approved,
                approval: Some(approval),
                changed_at: now,
                ..attempt.clone()
            })
        }))
    }

    fn reject<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        let Word { by, seen, .. } = word;
        Box::pin(self.change(by, move |known, now| {
            let attempt = find(known, id, seen)?;
            let state = State::Rejected { person: by.into() };
            Ok(Attempt { state, approval: None, changed_at: now, ..attempt.clone() })
        }))
    }

    fn order<'a>(&'a self, resource: &'a ResourceKey, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        Box::pin(async move {
            let ordered =
                self.change(word.by, move |known, now| self.ordered(known, resource, word, now)).await;
            if let (Ok(attempt), Some(own)) = (&ordered, &self.context.own) {
                own.add(&attempt.id);
                self.context.ask.notify_one();
            }
            ordered
        })
    }
}

impl Desk {
    /// Writes down what `make` makes of the attempts that are known.
    async fn change(
        &self,
        by: &str,
        make: impl Fn(&[Attempt], DateTime<Utc>) -> Ordered + Send + Sync,
    ) -> Ordered {
        for _ in 0..TRIES {
            let now = self.context.clock.now();
            let known = self.context.keeping.read(now).await.map_err(|_| OrderError::StoreAway)?;
            let attempt = make(&known.attempts, now)?;
            let before = known.attempts.iter().find(|known| known.id == attempt.id);
            let change = Change::new(before, attempt, by, "");
            let written = self.context.keeping.write(std::slice::from_ref(&change), &[], now, None).await;
            if written.map_err(|_| OrderError::StoreAway)? {
                let attempt = change.attempt;
                tracing::info!(
                    by, attempt = &*attempt.id, state = attempt.state.as_str(), resource = %attempt.key.resource,
                    "a person decided about a renewal"
                );
                self.context.ask.notify_one();
                return Ok(attempt);
            }
        }
        Err(OrderError::StoreAway)
    }

    fn ordered(
        &self,
        known: &[Attempt],
        resource: &ResourceKey,
        word: Word<'_>,
        now: DateTime<Utc>,
    ) -> Ordered {
        let Word { by, at_once, seen } = word;
        let board = Arc::clone(&self.context.board.borrow());
        let step =
            board.plan.steps.iter().find(|step| step.resource == *resource).ok_or(OrderError::Unknown)?;
        allowed(step, at_once)?;
        let not_after = step.certificate.ok_or(OrderError::Unknown)?.not_after;
        let same = |attempt: &&Attempt| {
            attempt.key.resource.place() == resource.place()
                && (attempt.key.not_after - not_after).abs() < SAME_END
        };
        let last = known.iter().filter(same).max_by_key(|attempt| attempt.number);
        last.map_or(Ok(()), |last| is_as_seen(last, seen))?;
        let name: Box<str> = by.into();
        let wanted = match last {
            Some(last) if last.state.is_open() => return Err(OrderError::Over(last.state.as_str())),
            // once its hour is over, what the rule announced goes on
            Some(last) if last.state.is_undecided() && at_once => last.clone(),
            Some(last) if !last.state.was_sent() => Attempt { by: By::Person { name }, ..last.clone() },
            last => {
                let key = AttemptKey { resource: resource.clone(), not_after };
                let (number, rule) = (last.map_or(1, |last| last.number + 1), self.rule(step));
                Attempt::new(key, number, By::Person { name }, &rule, step.planned, now)
            }
        };
        let until = step.planned.map(|planned| planned.end);
        let approval = self.approval(until, &wanted, by, at_once, now)?;
        Ok(Attempt { state: State::Approved, approval: Some(approval), changed_at: now, ..wanted })
    }

    fn rule(&self, step: &Step) -> String {
        let rule = step.rule.and_then(|number| self.context.policy.allow.get(number));
        rule.map(|rule| rule.matcher.to_string()).unwrap_or_default()
    }

    fn approval(
        &self,
        window_end: Option<DateTime<Utc>>,
        attempt: &Attempt,
        by: &str,
        at_once: bool,
        now: DateTime<Utc>,
    ) -> Result<Approval, OrderError> {
        match self.context.policy.mode {
            RenewalMode::Off => return Err(refused(Refusal::ModeOff)),
            RenewalMode::Plan => return Err(refused(Refusal::ModePlan)),
            RenewalMode::Approve | RenewalMode::Auto => {}
        }
        let until = match (at_once, window_end) {
            (true, _) => now + AT_ONCE,
            (false, Some(end)) if end > now => end,
            (false, _) => attempt.key.not_after.clamp(now + AT_ONCE, now + LONGEST),
        };
        Ok(Approval { by: by.into(), at: now, until, at_once })
    }
}

/// What a person may order: what only waits, and what only a person can begin again.
fn allowed(step: &Step, at_once: bool) -> Result<(), OrderError> {
    match &step.decision {
        Decision::Resume { attempt, .. } => Err(OrderError::Over(attempt.state.as_str())),
        Decision::Wait { why: Refusal::TooEarly, .. } if at_once => Ok(()),
        Decision::Wait {
            why: why @ (Refusal::TooEarly | Refusal::ModePlan | Refusal::NotRead),
            detail,
            ..
        }
        | Decision::Wait { why: why @ Refusal::Silenced, detail, .. } => {
            Err(OrderError::Refused { why: *why, detail: detail.clone() })
        }
        Decision::Refuse {
            why: Refusal::Rejected | Refusal::AlreadyTried | Refusal::StoppedAfterFailures,
            ..
        }
        | Decision::Renew { .. }
        | Decision::Wait { .. } => Ok(()),
        Decision::Refuse { why, detail } => Err(OrderError::Refused { why: *why, detail: detail.clone() }),
    }
}

fn refused(why: Refusal) -> OrderError {
    OrderError::Refused { why, detail: Box::default() }
}

/// An attempt that can still be decided about.
fn find<'a>(known: &'a [Attempt], id: &str, seen: Option<DateTime<Utc>>) -> Result<&'a Attempt, OrderError> {
    let attempt = known.iter().find(|attempt| *attempt.id == *id).ok_or(OrderError::Unknown)?;
    if !attempt.state.is_undecided() {
        return Err(OrderError::Over(attempt.state.as_str()));
    }
    is_as_seen(attempt, seen).map(|()| attempt)
}

/// Nobody decides about what they have not seen. Programs see whole seconds.
fn is_as_seen(attempt: &Attempt, seen: Option<DateTime<Utc>>) -> Result<(), OrderError> {
    let same = |seen: DateTime<Utc>| seen.timestamp() == attempt.changed_at.timestamp();
    if seen.is_none_or(same) { Ok(()) } else { Err(OrderError::Changed) }
}
