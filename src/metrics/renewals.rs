//! What is under way and what is planned, from the last plan.

use std::collections::{BTreeMap, HashMap};

use bytes::BytesMut;
use chrono::{DateTime, Utc};

use super::catalogue::{RENEWAL_PLANNED, RENEWALS_IN_PROGRESS};
use super::text;
use crate::domain::identity::Scope;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::attempt::{Attempt, ResourceKey, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::plan::{Decision, Step};
use crate::domain::resource::SAME_END;

/// What the page shows of a plan; each set of labels once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RenewalNumbers {
    /// How many are under way in each scope that has one, or where a rule allows some.
    in_progress: BTreeMap<Scope, u64>,
    /// When each is to be renewed.
    planned: BTreeMap<ResourceKey, DateTime<Utc>>,
}

impl RenewalNumbers {
    /// Of a plan and the attempts that it was made of.
    pub fn of(board: &Board) -> Self {
        let mut numbers = Self::default();
        for attempt in board.attempts.iter().filter(|attempt| attempt.state.is_open()) {
            *numbers.in_progress.entry(attempt.key.resource.scope()).or_default() += 1;
        }
        let promises = Promises::of(&board.attempts);
        for step in &board.plan.steps {
            if step.rule.is_some() {
                numbers.in_progress.entry(step.resource.scope()).or_default();
            }
            if let Some(at) = planned_at(step, promises.of_step(step), board.mode) {
                numbers.planned.insert(step.resource.clone(), at);
            }
        }
        numbers
    }
}

/// Attempts that are not over, by resource.
struct Promises<'b>(HashMap<&'b ResourceKey, Vec<&'b Attempt>>);

impl<'b> Promises<'b> {
    fn of(attempts: &'b [Attempt]) -> Self {
        let mut by_resource: HashMap<_, Vec<_>> = HashMap::new();
        for attempt in attempts.iter().filter(|attempt| is_to_come(&attempt.state)) {
            by_resource.entry(&attempt.key.resource).or_default().push(attempt);
        }
        Self(by_resource)
    }

    /// The one for the end that a step is about, the latest where a person wanted several.
    fn of_step(&self, step: &Step) -> Option<&'b Attempt> {
        let end = step.certificate?.not_after;
        let same = |attempt: &&&Attempt| (attempt.key.not_after - end).abs() < SAME_END;
        self.0.get(&step.resource)?.iter().filter(same).max_by_key(|attempt| attempt.number).copied()
    }
}

fn is_to_come(state: &State) -> bool {
    state.is_open() || matches!(state, State::Announced | State::Approved | State::NotSent { .. })
}

/// The moment that people were told stays until it is renewed, so that one which passed is seen to have passed. Where only
/// plans are made nothing was promised.
fn planned_at(step: &Step, attempt: Option<&Attempt>, mode: RenewalMode) -> Option<DateTime<Utc>> {
    let waits = !matches!(step.decision, Decision::Refuse { .. });
    let next = step.planned.filter(|_| waits).map(|window| window.begin);
    let Some(attempt) = attempt else { return next };
    let told = attempt.planned.map(|window| window.begin);
    match () {
        () if attempt.state.is_open() => told.or(attempt.stored_at),
        () if mode < RenewalMode::Approve => next,
        () => attempt.missed_at.or(next).or(told),
    }
}

/// Writes the gauges of renewals.
pub(super) fn write(out: &mut BytesMut, renewals: &RenewalNumbers) {
    write_in_progress(out, renewals, |_| true);
    write_planned(out, renewals, |_| true);
}

/// Writes how many are under way in those scopes that are wanted.
pub(super) fn write_in_progress(
    out: &mut BytesMut,
    renewals: &RenewalNumbers,
    is_wanted: impl Fn(&Scope) -> bool,
) {
    text::header(out, &RENEWALS_IN_PROGRESS);
    for (scope, count) in renewals.in_progress.iter().filter(|(scope, _)| is_wanted(scope)) {
        text::sample(out, RENEWALS_IN_PROGRESS.name, &scope.labels(), |out| text::integer(out, *count));
    }
}

/// Writes when those that are wanted are to be renewed.
pub(super) fn write_planned(
    out: &mut BytesMut,
    renewals: &RenewalNumbers,
    is_wanted: impl Fn(&ResourceKey) -> bool,
) {
    text::header(out, &RENEWAL_PLANNED);
    for (resource, at) in renewals.planned.iter().filter(|(resource, _)| is_wanted(resource)) {
        let scope = resource.scope();
        let id = ("resource_id", &*resource.resource_id);
        let labels: Vec<_> = scope.labels().into_iter().chain([id]).collect();
        text::sample(out, RENEWAL_PLANNED.name, &labels, |out| text::timestamp(out, *at));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::identity::CertRole;
    use crate::domain::renewal::attempt::{AttemptKey, By};
    use crate::domain::renewal::plan::{Plan, Read, Target};
    use crate::domain::renewal::refusal::Refusal;
    use crate::domain::renewal::window::Span;
    use crate::domain::testing::{moment, scope};

    fn after(hours: i64) -> DateTime<Utc> {
        moment() + TimeDelta::hours(hours)
    }

    fn window(begin: i64) -> Span {
        Span { begin: after(begin), end: after(begin + 3) }
    }

    fn step(decision: Decision, planned: Option<Span>) -> Step {
        Step {
            resource: ResourceKey::new(&scope("redis"), "r-1"),
            name: "".into(),
            certificate: Some(Target { role: CertRole::Server, not_after: after(240) }),
            rule: Some(0),
            call: None,
            planned,
            decision,
        }
    }

    fn wait(why: Refusal, planned: i64) -> Step {
        step(Decision::Wait { why, until: None, detail: "".into() }, Some(window(planned)))
    }

    fn refuse(why: Refusal) -> Step {
        step(Decision::Refuse { why, detail: "".into() }, None)
    }

    fn attempt(state: State, planned: i64) -> Attempt {
        let key = AttemptKey { resource: ResourceKey::new(&scope("redis"), "r-1"), not_after: after(241) };
        let attempt = Attempt::new(key, 1, By::Rule, "", Some(window(planned)), moment());
        Attempt { state, ..attempt }
    }

    fn resume(attempt: &Attempt) -> Step {
        let attempt = Box::new(attempt.clone());
        let resume = Decision::Resume { attempt, read: Read::Progress, overdue: false };
        Step { rule: None, ..step(resume, Some(window(99))) }
    }

    fn board(mode: RenewalMode, steps: Vec<Step>, attempts: Vec<Attempt>) -> Board {
        let plan = Plan { steps, ..Plan::default() };
        Board { mode, plan: plan.into(), attempts: attempts.into(), ..Board::default() }
    }

    #[test]
    fn what_was_promised_stays_until_it_is_kept_or_given_up() {
        let missed = || Attempt { missed_at: Some(after(-2)), ..attempt(State::Announced, 20) };
        let other_end = || {
            let mut attempt = attempt(State::Announced, -50);
            attempt.key.not_after = after(-9000);
            attempt
        };
        let by_hand = || Attempt { planned: None, stored_at: Some(after(-1)), ..attempt(State::Stored, 0) };
        let off = Refusal::OutsideWindow;
        let (plan, approve) = (RenewalMode::Plan, RenewalMode::Approve);
        for (name, mode, step, attempt, want) in [
            ("not announced yet", approve, wait(off, 5), None, Some(5)),
            ("announced", approve, wait(off, 5), Some(attempt(State::Announced, 5)), Some(5)),
            ("its window moved", approve, wait(off, 9), Some(attempt(State::Approved, 5)), Some(9)),
            ("a window passed", approve, wait(Refusal::NotApproved, 20), Some(missed()), Some(-2)),
            ("a window passed, only shown", plan, wait(Refusal::ModePlan, 20), Some(missed()), Some(20)),
            (
                "all stopped meanwhile",
                approve,
                refuse(Refusal::StoppedAfterFailures),
                Some(attempt(State::Approved, -30)),
                Some(-30),
            ),
            ("of a certificate that was replaced", approve, wait(off, 5), Some(other_end()), Some(5)),
            (
                "rejected",
                approve,
                refuse(Refusal::Rejected),
                Some(attempt(State::Rejected { person: "bob".into() }, -5)),
                None,
            ),
            ("tried", approve, refuse(Refusal::AlreadyTried), Some(attempt(State::Unknown, -5)), None),
            ("no rule", approve, refuse(Refusal::NotAllowed), None, None),
            (
                "under way",
                approve,
                resume(&attempt(State::Stored, -1)),
                Some(attempt(State::Stored, -1)),
                Some(-1),
            ),
            ("under way by hand", plan, resume(&by_hand()), Some(by_hand()), Some(-1)),
        ] {
            let attempts = attempt.into_iter().collect();
            let numbers = RenewalNumbers::of(&board(mode, vec![step], attempts));
            assert_eq!(numbers.planned.into_values().next(), want.map(after), "{name}");
        }
    }

    #[test]
    fn scopes_where_something_is_allowed_or_under_way_say_how_much_is() {
        let open = attempt(State::Accepted { request_id: "R".into() }, 0);
        let elsewhere = |step: Step| Step { resource: ResourceKey::new(&scope("rds"), "rm-1"), ..step };
        let not_allowed = Step { rule: None, ..refuse(Refusal::NotAllowed) };
        for (name, steps, attempts, want) in [
            ("nothing", vec![], vec![], vec![]),
            ("nothing is allowed", vec![not_allowed], vec![], vec![]),
            ("allowed", vec![wait(Refusal::TooEarly, 5)], vec![], vec![("redis", 0)]),
            (
                "one under way, another allowed",
                vec![resume(&open), elsewhere(wait(Refusal::TooEarly, 5))],
                vec![open.clone(), attempt(State::Unknown, 0)],
                vec![("rds", 0), ("redis", 1)],
            ),
            ("under way, its resource gone", vec![], vec![open.clone()], vec![("redis", 1)]),
        ] {
            let numbers = RenewalNumbers::of(&board(RenewalMode::Auto, steps, attempts));
            let found: Vec<_> =
                numbers.in_progress.iter().map(|(scope, count)| (&*scope.service, *count)).collect();
            assert_eq!(found, want, "{name}");
        }
    }
}
