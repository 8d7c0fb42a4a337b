//! The Markdown that a `TextBlock` understands: bold, italic, links, lists. Everything in foreign text that means
//! something in it gets a backslash.

use crate::domain::alert::message::Tone;
use crate::notifier::script::{Markup, Span};
use crate::notifier::text::tidy;

/// What a backslash makes plain.
const SPECIAL: [char; 7] = ['\\', '*', '_', '[', ']', '(', ')'];

/// Markdown of a `TextBlock`.
#[derive(Debug, Clone, Copy)]
pub struct Markdown {
    /// A bullet before each entry: where they are many, of one line each.
    pub bullets: bool,
}

impl Markdown {
    /// Between two blocks; never within one.
    pub const BLOCK_BREAK: &str = "\n\n";
    /// What makes a line an item of a list.
    pub const BULLET: &str = "- ";
}

impl Markup for Markdown {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Moment { shown: text, .. } => out.push_str(&escape(text)),
            Span::Strong(text) | Span::Name(text) => strong(&escape(text), out),
            Span::Foreign(text) | Span::Code(text) => {
                let begins_list = out.is_empty() && text.starts_with(['-', '+', '#', '>']);
                out.extend(begins_list.then_some('\\'));
                out.push_str(&escape(text));
            }
            Span::Link { label, url } => match web(url) {
                Some(url) => out.extend(["[", &escape(label), "](", &url, ")"]),
                None => out.push_str(&escape(label)),
            },
        }
    }

    fn before_entry(&self, _tone: Tone, out: &mut String) {
        out.push_str(if self.bullets { Self::BULLET } else { "" });
    }

    fn block_break(&self) -> &'static str {
        Self::BLOCK_BREAK
    }
}

fn strong(escaped: &str, out: &mut String) {
    if !escaped.is_empty() {
        out.extend(["**", escaped, "**"]);
    }
}

/// Text as it is: on one line, nothing hidden, nothing that styles. An underscore within a word means nothing, and
/// stays as it is, so that ids (`evt_…`) can be searched for.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let text = tidy(text);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_within = escaped.ends_with(char::is_alphanumeric)
            && characters.peek().is_some_and(|next| next.is_alphanumeric());
        let special = SPECIAL.contains(&character) && !(character == '_' && is_within);
        escaped.extend(special.then_some('\\'));
        escaped.push(character);
    }
    escaped
}

/// An address that can stand in a link and in an action.
pub fn web(url: &str) -> Option<String> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let plain = is_web && !url.contains(char::is_whitespace);
    plain.then(|| url.replace('(', "%28").replace(')', "%29").replace('\\', "%5C"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_literally() {
        for (name, text, want) in [
            ("plain", "orders", "**orders**"),
            ("a style", "*a* _b_", r"**\*a\* \_b\_**"),
            ("an id", "evt_01 a_b", "**evt_01 a_b**"),
            ("a link", "[x](http://e)", r"**\[x\]\(http://e\)**"),
            ("a function", "{{DATE(2026-01-01T00:00:00Z)}}", r"**{{DATE\(2026-01-01T00:00:00Z\)}}**"),
            ("a backslash", r"\*", r"**\\\***"),
            ("controls", "a\u{202e}\nb", "**a b**"),
            ("nothing", "", ""),
        ] {
            let mut out = String::new();
            Markdown { bullets: false }.span(&Span::Name(text.into()), &mut out);
            assert_eq!(out, want, "{name}");
        }
        let mut out = String::new();
        Markdown { bullets: false }.span(&Span::Foreign("- a".into()), &mut out);
        assert_eq!(out, r"\- a", "no list");
    }

    #[test]
    fn a_link_ends_where_it_should() {
        assert_eq!(web("https://h/a(b)"), Some("https://h/a%28b%29".to_owned()));
        assert_eq!(web("javascript:alert(1)"), None);
    }
}
