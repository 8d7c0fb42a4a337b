//! No markup at all: for tests, the text of mails, and messages whose form was refused.

use super::phrase::tidy;
use crate::notifier::script::{Line, Markup, Span};

/// A line without any markup, not escaped: control characters out, newlines to spaces.
pub fn plain(line: &Line) -> String {
    let mut text = String::new();
    PlainText.line(line, &mut text);
    text
}

/// Writes nothing but the words.
#[derive(Debug, Clone, Copy)]
pub struct PlainText;

impl Markup for PlainText {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Strong(text) | Span::Moment { shown: text, .. } => out.push_str(text),
            Span::Foreign(text) | Span::Name(text) | Span::Code(text) => out.push_str(&tidy(text)),
            Span::Link { label, url } => {
                out.push_str(label);
                out.push_str(": ");
                out.push_str(&tidy(url));
            }
        }
    }
}
