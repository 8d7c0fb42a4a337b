//! What alerts know of renewals: a certificate whose renewal is planned in time is not shouted about, one whose window
//! passed without effect is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::attempt::{Attempt, State};
use super::plan::{Decision, Plan, Step};
use super::refusal::Refusal;
use crate::domain::alert::decide::Renewal;
use crate::domain::alert::message::{Fingerprint, RenewalNote};
use crate::domain::policy::RenewalMode;
use crate::domain::resource::SAME_END;

/// What is known of the renewal of each certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(HashMap<Fingerprint, Renewal>);

impl Notes {
    /// What a plan and the attempts so far say.
    pub fn new(plan: &Plan, attempts: &[Attempt], mode: RenewalMode, now: DateTime<Utc>) -> Self {
        let mut notes: HashMap<Fingerprint, Renewal> = HashMap::new();
        for attempt in attempts {
            if let State::Confirmed { new_not_after } = attempt.state {
                let known = notes.entry(attempt.key.resource.fingerprint()).or_default();
                if known.ours < Some(new_not_after) {
                    known.ours = Some(new_not_after);
                    known.told = attempt.told.as_slice().into();
                }
            }
        }
        for step in &plan.steps {
            let note = note(step, attempts, mode, now);
            notes.entry(step.resource.fingerprint()).or_default().note = note;
        }
        Self(notes)
    }

    /// The same while nothing can be begun: what is planned does not count.
    #[must_use]
    pub fn without_plans(&self) -> Self {
        let by_hand = |(fingerprint, renewal): (&Fingerprint, &Renewal)| {
            let note = match renewal.note {
                RenewalNote::Planned { .. } => RenewalNote::Manual,
                ref other => other.clone(),
            };
            (*fingerprint, Renewal { note, ..renewal.clone() })
        };
        Self(self.0.iter().map(by_hand).collect())
    }

    /// Of one certificate; `None` for one that the plan does not know.
    pub fn of(&self, fingerprint: Fingerprint) -> Option<&Renewal> {
        self.0.get(&fingerprint)
    }
}

fn note(step: &Step, attempts: &[Attempt], mode: RenewalMode, now: DateTime<Utc>) -> RenewalNote {
    match &step.decision {
        Decision::Refuse { why: Refusal::NoApi, .. } => RenewalNote::NoApi,
        Decision::Resume { attempt, overdue: false, .. } => match attempt.expected_by {
            Some(at) => RenewalNote::Planned { at },
            None => RenewalNote::Manual,
        },
        Decision::Renew { attempt, .. } if attempt.missed_at.is_none() => RenewalNote::Planned { at: now },
        Decision::Wait { why, .. } if !is_for_a_person(*why) && mode >= RenewalMode::Approve => {
            planned(step, attempts, mode, now)
        }
        _ => RenewalNote::Manual,
    }
}

/// What does not happen unless somebody acts, or not in time.
fn is_for_a_person(why: Refusal) -> bool {
    matches!(
        why,
        Refusal::NotApproved
            | Refusal::EndsBeforeWindow
            | Refusal::ModePlan
            | Refusal::Silenced
            | Refusal::NotRead
    )
}

/// Only what was announced, and approved where that is needed, and missed no window, is worth keeping quiet for.
fn planned(step: &Step, attempts: &[Attempt], mode: RenewalMode, now: DateTime<Utc>) -> RenewalNote {
    let (Some(window), Some(target)) = (step.planned, step.certificate) else { return RenewalNote::Manual };
    let of_this = |attempt: &&Attempt| {
        attempt.key.resource == step.resource && (attempt.key.not_after - target.not_after).abs() < SAME_END
    };
    let Some(attempt) = attempts.iter().filter(of_this).max_by_key(|attempt| attempt.number) else {
        return RenewalNote::Manual;
    };
    let approved = attempt.approval.as_ref().is_some_and(|approval| window.begin < approval.until);
    let missed = attempt.missed_at.is_some() || attempt.planned.is_some_and(|planned| planned.end <= now);
    let at = window.begin.max(now);
    if missed || at >= target.not_after || (mode == RenewalMode::Approve && !approved) {
        return RenewalNote::Manual;
    }
    RenewalNote::Planned { at }
}
