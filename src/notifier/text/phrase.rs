//! Pieces of lines: patterns filled with values, and foreign text made fit to stand in a line.

use std::borrow::Cow;

use crate::notifier::script::{Line, Span};
use crate::visible::is_invisible;

/// Names of people's own making are cut behind so many characters.
const LONGEST_NAME: usize = 100;
/// The same in a title, where it must leave room for what happened.
const LONGEST_IN_TITLE: usize = 48;
/// Errors are cut behind so many characters; the log has all of it.
const LONGEST_ERROR: usize = 300;

/// Foreign text on one line: newlines and tabs become spaces, what cannot be seen is left out.
pub fn tidy(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let breaks = |c: char| c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    let shown = |c: char| match c {
        space if breaks(space) => Some(' '),
        hidden if is_invisible(hidden) => None,
        plain => Some(plain),
    };
    Cow::Owned(text.chars().filter_map(shown).collect())
}

/// The text, tidy, and cut behind `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text = tidy(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => text[..end].to_owned() + "…",
        None => text.into_owned(),
    }
}

/// Own words as a line.
pub(super) fn own(text: impl Into<String>) -> Line {
    vec![Span::Own(text.into())]
}

/// Own words, stressed.
pub(super) fn strong(text: impl Into<String>) -> Line {
    vec![Span::Strong(text.into())]
}

/// Text of others.
pub(super) fn foreign(text: &str) -> Line {
    vec![Span::Foreign(cut(text, LONGEST_NAME))]
}

/// What a cloud or a channel said.
pub(super) fn said(text: &str) -> Line {
    vec![Span::Foreign(cut(text, LONGEST_ERROR))]
}

/// A name in a title: not stressed, because a title is so as a whole.
pub(super) fn in_title(text: &str) -> Line {
    vec![Span::Foreign(cut(text, LONGEST_IN_TITLE))]
}

/// A name by which something is recognised.
pub(super) fn name(text: &str) -> Line {
    vec![Span::Name(cut(text, LONGEST_NAME))]
}

/// An id.
pub(super) fn code(text: &str) -> Line {
    vec![Span::Code(cut(text, LONGEST_NAME))]
}

/// What is to be typed: cut late, because half of a command is another one.
pub(super) fn command(text: &str) -> Line {
    vec![Span::Code(cut(text, LONGEST_ERROR))]
}

/// A pattern with each `{0}`, `{1}`, … replaced by a value.
pub(super) fn fill(pattern: &str, values: &[Line]) -> Line {
    let mut line = Line::new();
    for (at, piece) in pattern.split('{').enumerate() {
        let (value, words) = match piece.split_once('}') {
            Some((place, words)) if at > 0 => (place.parse::<usize>().ok(), words),
            _ => (None, piece),
        };
        line.extend(value.and_then(|at| values.get(at)).into_iter().flatten().cloned());
        if !words.is_empty() {
            line.push(Span::Own(words.to_owned()));
        }
    }
    line
}

/// The same for values that are own words too.
pub(super) fn say(pattern: &str, values: &[&str]) -> String {
    let mut text = String::with_capacity(pattern.len() + 16);
    for (at, piece) in pattern.split('{').enumerate() {
        match piece.split_once('}') {
            Some((place, words)) if at > 0 => {
                text.push_str(place.parse::<usize>().ok().and_then(|at| values.get(at)).unwrap_or(&""));
                text.push_str(words);
            }
            _ => text.push_str(piece),
        }
    }
    text
}

/// A number and what is counted, in the right form; further values from `{1}` on.
pub(super) fn counted(pattern: &str, count: usize, others: &[&str]) -> String {
    let number = count.to_string();
    let values: Vec<&str> = std::iter::once(number.as_str()).chain(others.iter().copied()).collect();
    say(form(pattern, count), &values)
}

/// The form of a pattern for so many.
pub(super) fn form(pattern: &str, count: usize) -> &str {
    match pattern.split_once('|') {
        Some((one, _)) if count == 1 => one,
        Some((_, many)) => many,
        None => pattern,
    }
}

/// Lines one after another with own words between; empty ones are left out.
pub(super) fn joined(lines: impl IntoIterator<Item = Line>, between: &str) -> Line {
    let mut all = Line::new();
    for line in lines.into_iter().filter(|line| !line.is_empty()) {
        if !all.is_empty() {
            all.push(Span::Own(between.to_owned()));
        }
        all.extend(line);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_its_values_in_any_order() {
        assert_eq!(say("{1} of {0}", &["a", "b"]), "b of a");
        assert_eq!(
            fill("x {1}{0}.", &[own("a"), code("b")]),
            [Span::Own("x ".into()), Span::Code("b".into()), Span::Own("a".into()), Span::Own(".".into()),]
        );
        assert_eq!(counted("{0} day|{0} days", 1, &[]), "1 day");
        assert_eq!(counted("{0} day|{0} days", 0, &[]), "0 days");
        assert_eq!(counted("{0} 天", 1, &[]), "1 天");
    }

    #[test]
    fn foreign_text_stays_on_one_line_and_in_bounds() {
        for (name, text, want) in [
            ("plain", "订单库 a", "订单库 a"),
            ("newlines", "a\r\nb\tc\u{2028}d", "a  b c d"),
            ("controls", "a\x1b[31m\0b", "a[31mb"),
            ("turned around", "a\u{202e}b\u{200b}c", "abc"),
        ] {
            assert_eq!(tidy(text), want, "{name}");
        }
        assert_eq!(cut("证书证书", 3), "证书证…");
    }
}
