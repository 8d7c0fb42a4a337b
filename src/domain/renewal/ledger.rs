//! What is written down of each renewal, and never changed afterwards: who, what, when, by which rule.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, By, State};

/// One thing that happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// Which attempt.
    pub attempt: Box<str>,
    /// What it became: a word of [`State::as_str`].
    pub state: Box<str>,
    /// Who did it: a person's name, `rule`, or `cloud`.
    pub who: Box<str>,
    /// The expression of the rule that allows it.
    pub rule: Box<str>,
    /// The cloud's id of the request, or empty.
    pub request_id: Box<str>,
    /// More of it in words, or empty: the cloud's code, the new end, what a hook said.
    pub text: Box<str>,
}

/// An attempt as it is to be written down, in place of what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// As it is from now on.
    pub attempt: Attempt,
    /// When what was read of it had changed last; `None`: there is none with its id, nor with its key and number. Where
    /// that is not so any more, somebody else was faster, and nothing is written.
    pub instead_of: Option<DateTime<Utc>>,
    /// What to remember of it.
    pub entry: Option<Entry>,
}

impl Change {
    /// An attempt that became something else, and who made it so. It is changed later than before, if only by a
    /// nanosecond, whatever the clock says: that is how the two are told apart.
    pub fn new(before: Option<&Attempt>, mut attempt: Attempt, who: &str, text: &str) -> Self {
        if let Some(before) = before {
            attempt.changed_at = attempt.changed_at.max(before.changed_at + TimeDelta::nanoseconds(1));
        }
        let request_id = match &attempt.state {
            State::Accepted { request_id } | State::Refused { request_id, .. } => request_id.clone(),
            _ => Box::default(),
        };
        let entry = Entry {
            at: attempt.changed_at,
            attempt: attempt.id.clone(),
            state: attempt.state.as_str().into(),
            who: who.into(),
            rule: attempt.rule.clone(),
            request_id,
            text: text.into(),
        };
        Self { instead_of: before.map(|before| before.changed_at), attempt, entry: Some(entry) }
    }
}

impl By {
    /// In the ledger and in messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Rule => "rule",
            Self::Person { name } => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::renewal::attempt::{AttemptKey, ResourceKey};
    use crate::domain::testing::{moment, scope};

    #[test]
    fn a_change_is_later_than_what_it_takes_the_place_of_whatever_the_clock_says() {
        let key = AttemptKey { resource: ResourceKey::new(&scope("redis"), "r-1"), not_after: moment() };
        let before = Attempt::new(key, 1, By::Rule, "rule", None, moment());
        let (nano, hour) = (TimeDelta::nanoseconds(1), TimeDelta::hours(1));
        for (name, at, want) in [
            ("later", moment() + hour, moment() + hour),
            ("at the same moment", moment(), moment() + nano),
            ("the clock went back", moment() - hour, moment() + nano),
        ] {
            let after = Attempt { changed_at: at, ..before.clone() };
            let change = Change::new(Some(&before), after, "rule", "");
            let entry = change.entry.expect("one to remember");
            assert_eq!((change.attempt.changed_at, entry.at), (want, want), "{name}");
            assert_eq!(change.instead_of, Some(moment()), "{name}");
        }
        let first = Change::new(None, before, "rule", "");
        assert_eq!((first.attempt.changed_at, first.instead_of), (moment(), None));
    }
}
