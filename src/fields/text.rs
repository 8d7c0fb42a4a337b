//! What every text has to be, and how a parser says no.

use crate::domain::matcher::MatcherError;

/// Why a text was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Reads well behind the key: `must be …`, `is not …`.
    pub message: String,
    /// A way out; may be empty.
    pub hint: String,
    /// Which character of the text it is about, from 1.
    column: Option<usize>,
}

impl Fault {
    /// A fault of the text as a whole.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), column: None }
    }

    /// How far behind the begin of the value the fault lies in the file. Known only where the text stands in the
    /// file as it is: in one kind of quotes, without escapes, which shows in its length.
    pub(super) fn offset_in(&self, text: &str, written: usize) -> usize {
        let column = self.column.filter(|_| written == text.len() + 2);
        column.map_or(0, |column| 1 + text.chars().take(column - 1).map(char::len_utf8).sum::<usize>())
    }
}

impl From<MatcherError> for Fault {
    fn from(MatcherError { column, message, hint }: MatcherError) -> Self {
        Self { message: format!("{message} (character {column})"), hint, column: Some(column) }
    }
}

/// The text, unless it is empty, has blanks around it, or holds what nobody can see.
pub(super) fn clean(text: &str) -> Result<&str, Fault> {
    if text.is_empty() {
        return Err(Fault::new("must not be empty", ""));
    }
    if text.trim() != text {
        return Err(Fault::new("has blanks around the text inside its quotes", "take them away"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new("holds a line break or another control character", ""));
    }
    Ok(text)
}
