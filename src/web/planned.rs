//! A plan and its attempts, put together: one [`Entry`] for each step with the attempt that it is about, and one for each
//! attempt that no step is about any more. Lists, pages and commands show entries; what may be ordered is asked here too.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::domain::identity::CertRole;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::attempt::{Approval, Attempt, AttemptKey, ResourceKey, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::plan::{Decision, Step};
use crate::domain::renewal::refusal::Refusal;
use crate::domain::resource::SAME_END;

/// What is planned or was done about one certificate.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'b> {
    /// How far renewal may go.
    pub mode: RenewalMode,
    /// What is to be done; `None`: nothing, the attempt is history.
    pub step: Option<&'b Step>,
    /// The attempt, where there is one.
    pub attempt: Option<&'b Attempt>,
    /// When that was known.
    pub at: Option<DateTime<Utc>>,
}

/// Where an entry stands in the list: what is under way, what begins, what waits, what is refused, what is over; within
/// that by end, and of what is over the latest first. No two entries share one.
pub type Place = (u8, i64, Box<str>);

/// Every entry, in the order of the plan.
pub fn entries(board: &Board) -> impl Iterator<Item = Entry<'_>> {
    let (mode, at) = (board.mode, board.at);
    let mut of_resource: HashMap<&ResourceKey, Vec<&Attempt>> = HashMap::new();
    for attempt in board.attempts.iter() {
        of_resource.entry(&attempt.key.resource).or_default().push(attempt);
    }
    let attempt = move |step: &Step| {
        let known = of_resource.get(&step.resource)?;
        if let Decision::Resume { attempt, .. } = &step.decision {
            return known.iter().find(|known| known.id == attempt.id).copied();
        }
        let end = step.certificate?.not_after;
        let same = |known: &&&Attempt| (known.key.not_after - end).abs() < SAME_END;
        known.iter().filter(same).max_by_key(|known| known.number).copied()
    };
    let steps: Vec<Entry<'_>> = board
        .plan
        .steps
        .iter()
        .map(|step| Entry { mode, step: Some(step), attempt: attempt(step), at })
        .collect();
    let shown: HashSet<&str> = steps.iter().filter_map(|entry| Some(&*entry.attempt?.id)).collect();
    let history = board.attempts.iter().filter(move |attempt| !shown.contains(&*attempt.id));
    let history: Vec<_> =
        history.map(|attempt| Entry { mode, step: None, attempt: Some(attempt), at }).collect();
    steps.into_iter().chain(history)
}

/// The entry with this id.
pub fn entry<'b>(board: &'b Board, id: &str) -> Option<Entry<'b>> {
    entries(board).find(|entry| *entry.id() == *id)
}

impl<'b> Entry<'b> {
    /// The id of its attempt, or the one that its first attempt will have.
    pub fn id(&self) -> Box<str> {
        match (self.attempt, self.step) {
            (Some(attempt), _) => attempt.id.clone(),
            (None, Some(step)) => {
                let not_after = step.certificate.map_or(DateTime::UNIX_EPOCH, |target| target.not_after);
                AttemptKey { resource: step.resource.clone(), not_after }.id(1)
            }
            (None, None) => Box::default(),
        }
    }

    /// Whose certificate.
    pub fn resource(&self) -> Option<&'b ResourceKey> {
        self.step.map(|step| &step.resource).or_else(|| Some(&self.attempt?.key.resource))
    }

    /// The end that it is about.
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        match self.step {
            Some(step) => step.certificate.map(|target| target.not_after),
            None => self.attempt.map(|attempt| attempt.key.not_after),
        }
    }

    /// What the certificate is to those who connect.
    pub fn role(&self) -> Option<CertRole> {
        match self.step {
            Some(step) => step.certificate.map(|target| target.role),
            None => Some(CertRole::Server),
        }
    }

    /// Belongs into a list for which nothing else was asked: what a rule allows, what is under way, and what was done.
    pub fn matters(&self) -> bool {
        self.attempt.is_some() || self.step.is_some_and(|step| step.rule.is_some())
    }

    /// What is to be done, in one word; `None`: nothing, it is history.
    pub fn word(&self) -> Option<&'static str> {
        Some(match self.step?.decision {
            Decision::Resume { .. } => "under_way",
            Decision::Renew { .. } => "renew",
            Decision::Wait { .. } => "wait",
            Decision::Refuse { .. } => "refuse",
        })
    }

    /// Where it stands in the list.
    pub fn place(&self) -> Place {
        let end = |entry: &Self| entry.not_after().map_or(i64::MAX, |end| end.timestamp_millis());
        let rank = match self.step.map(|step| &step.decision) {
            Some(Decision::Resume { .. }) => 0,
            Some(Decision::Renew { .. }) => 1,
            Some(Decision::Wait { .. }) => 2,
            Some(Decision::Refuse { .. }) => 3,
            None => 4,
        };
        let within = match (self.step, self.attempt) {
            (None, Some(attempt)) => -attempt.changed_at.timestamp_millis(),
            _ => end(self),
        };
        (rank, within, self.id())
    }

    /// Whether a person's yes would change something.
    pub fn can_approve(&self) -> bool {
        let calls = self.mode >= RenewalMode::Approve && self.step.is_some();
        calls
            && self.attempt.is_some_and(|attempt| match attempt.state {
                State::Announced | State::NotSent { .. } => true,
                // said already; what can be added is that it is to be at once, or that it still is to be
                State::Approved => {
                    let counts = |approval: &Approval| approval.at_once && self.at < Some(approval.until);
                    !attempt.approval.as_ref().is_some_and(counts)
                }
                _ => false,
            })
    }

    /// Whether a person's no would change something.
    pub fn can_reject(&self) -> bool {
        self.step.is_some()
            && self.attempt.is_some_and(|attempt| {
                matches!(attempt.state, State::Announced | State::Approved | State::NotSent { .. })
            })
    }

    /// Whether it makes sense to order it by hand: a person may take back what people or earlier failures said, and what
    /// only waits; nothing else.
    pub fn can_order(&self) -> bool {
        let overruled = |why: Refusal| {
            matches!(why, Refusal::Rejected | Refusal::AlreadyTried | Refusal::StoppedAfterFailures)
        };
        let calls = self.mode >= RenewalMode::Approve;
        calls
            && self.step.is_some_and(|step| {
                step.rule.is_some()
                    && match step.decision {
                        Decision::Resume { .. } => false,
                        Decision::Renew { .. } | Decision::Wait { .. } => true,
                        Decision::Refuse { why, .. } => overruled(why),
                    }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::renewal::attempt::By;
    use crate::web::testing::renewals::{Garden, board};

    #[test]
    fn every_step_has_its_attempt_and_what_is_over_comes_last() {
        let board = board();
        let words: Vec<_> = entries(&board)
            .filter(Entry::matters)
            .map(|entry| {
                let id = entry.resource().map_or("", |resource| &resource.resource_id).to_owned();
                (id, entry.word(), entry.attempt.map(|attempt| attempt.state.as_str()))
            })
            .collect();
        let word = |id: &str, word, state| (id.to_owned(), word, state);
        assert_eq!(
            words,
            [
                word("r-running", Some("under_way"), Some("accepted")),
                word("r-asked", Some("wait"), Some("announced")),
                word("r-approved", Some("wait"), Some("approved")),
                word("r-early", Some("wait"), None),
                word("r-done", Some("wait"), None),
                word("r-tried", Some("refuse"), Some("refused")),
                word("r-done", None, Some("confirmed")),
            ]
        );
    }

    #[test]
    fn ids_are_those_of_the_attempts_and_stay_when_one_is_made() {
        let mut garden = Garden::new();
        garden.add("r-1", 10);
        let before = entries(&garden.board()).next().map(|entry| entry.id());
        garden.attempt("r-1", State::Announced, By::Rule);
        let board = garden.board();
        let found = entries(&board).next().expect("one");
        assert!(found.attempt.is_some());
        assert_eq!(Some(found.id()), before);
        assert!(entry(&board, &found.id()).is_some() && entry(&board, "ren_0").is_none());
    }

    #[test]
    fn people_may_only_order_what_an_order_changes() {
        let board = board();
        let of = |id: &str| {
            let found =
                entries(&board).find(|entry| entry.resource().is_some_and(|key| &*key.resource_id == id));
            let found = found.expect(id);
            (found.can_approve(), found.can_reject(), found.can_order())
        };
        for (id, want) in [
            ("r-running", (false, false, false)),
            ("r-asked", (true, true, true)),
            ("r-approved", (true, true, true)),
            ("r-early", (false, false, true)),
            ("r-tried", (false, false, true)),
            ("r-off", (false, false, false)),
        ] {
            assert_eq!(of(id), want, "{id}");
        }
    }
}
