//! From facts to words: what a message says, in English and Chinese.

pub mod compose;

use super::Setting;
use super::script::{Budget, Markup, Script};
use crate::domain::alert::message::Message;

/// Words of the operator's own, in place of ours.
#[derive(Debug)]
pub struct Template {}

/// A message, or a part of one, with the markup of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// One line without markup and not escaped, for subjects and previews.
    pub title: String,
    /// Everything, the title as its first line among it, escaped.
    pub text: String,
}

/// A message in words, for channels that build cards of it.
pub fn script(_message: &Message, _setting: &Setting<'_>) -> Script {
    unimplemented!("words come with the next commit")
}

/// A message as texts within a budget: our words, or those of the operator's template.
pub fn parts(
    _message: &Message,
    _setting: &Setting<'_>,
    _markup: &dyn Markup,
    _budget: Budget,
) -> Vec<Composed> {
    unimplemented!("words come with the next commit")
}

/// A line without any markup, not escaped: control characters out, newlines to spaces.
pub fn plain(_line: &super::script::Line) -> String {
    unimplemented!("words come with the next commit")
}
