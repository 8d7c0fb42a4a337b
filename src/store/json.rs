//! Values with parts as JSON, for one column each. The shapes in here are the stored format: they change only together
//! with a migration. Domain types know nothing of them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::words::{Odd, moment, stamp};
use crate::domain::reason::{Failure, Reason};

#[derive(Serialize, Deserialize)]
pub(super) struct FailureText<'t> {
    #[serde(borrow)]
    reason: Cow<'t, str>,
    #[serde(borrow)]
    text: Cow<'t, str>,
    at: i64,
}

impl<'t> FailureText<'t> {
    pub(super) fn of(failure: &'t Failure) -> Self {
        Self {
            reason: Cow::Borrowed(failure.reason.as_str()),
            text: Cow::Borrowed(&failure.text),
            at: stamp(failure.at),
        }
    }

    pub(super) fn read(self) -> Result<Failure, Odd> {
        let reason = one_of(&Reason::ALL, Reason::as_str, &self.reason)?;
        Ok(Failure { reason, text: self.text.into(), at: moment(self.at)? })
    }
}

pub(super) fn write_failure(failure: &Failure) -> String {
    to_text(&FailureText::of(failure))
}

pub(super) fn read_failure(text: &str) -> Result<Failure, Odd> {
    serde_json::from_str::<FailureText<'_>>(text)?.read()
}

/// The value that a word is for.
pub(super) fn one_of<T: Copy>(all: &[T], word: fn(T) -> &'static str, found: &str) -> Result<T, Odd> {
    let fitting = all.iter().find(|value| word(**value) == found);
    fitting.copied().ok_or_else(|| Odd::Word(found.into()))
}

/// A text as JSON: PostgreSQL takes no NUL in a text, JSON writes it as six characters.
pub(super) fn write_text(text: &str) -> String {
    to_text(&text)
}

pub(super) fn read_text(json: &str) -> Result<Box<str>, Odd> {
    Ok(serde_json::from_str(json)?)
}

pub(super) fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and lists are always JSON")
}
