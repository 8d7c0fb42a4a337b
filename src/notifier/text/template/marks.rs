//! How a template's values reach the markup of a channel: as marks inside of the text that the template makes.
//!
//! The template engine writes text and knows nothing of channels. What would mean something to some markup is
//! therefore marked by control characters, which no text from outside may hold, and given its markup afterwards. A
//! text in which nothing could mean anything is written as it is, whoever chose it; everything else that a value holds
//! counts as foreign, also what filters made of it.

use chrono::DateTime;

use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::phrase::tidy;

const BEGIN: char = '\u{1}';
const END: char = '\u{2}';
const AND: char = '\u{3}';

/// Every mark; a template that holds one itself is refused.
pub(super) const MARKS: [char; 3] = [BEGIN, END, AND];

/// The line with a mark around each piece.
pub(super) fn marked(line: &Line) -> String {
    let mut text = String::new();
    for span in line {
        text.push(BEGIN);
        match span {
            Span::Own(own) => text.extend(["o", own]),
            Span::Strong(own) => text.extend(["s", own]),
            Span::Foreign(foreign) => text.extend(["f", &*tidy(foreign)]),
            Span::Name(name) => text.extend(["n", &*tidy(name)]),
            Span::Code(code) => text.extend(["c", &*tidy(code)]),
            Span::Moment { at, shown } => {
                text.extend(["m", &at.timestamp().to_string(), AND.encode_utf8(&mut [0; 4]), shown]);
            }
            Span::Link { label, url } => {
                text.extend(["l", label, AND.encode_utf8(&mut [0; 4]), &*tidy(url)]);
            }
        }
        text.push(END);
    }
    text
}

/// A value that is text: what is between marks stays as it is, the rest is marked as foreign where it could mean
/// something.
pub(super) fn guarded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let end = rest[begin..].find(END).map_or(rest.len(), |end| begin + end + END.len_utf8());
        guard(&rest[..begin], &mut out);
        out.push_str(&rest[begin..end]);
        rest = &rest[end..];
    }
    guard(rest, &mut out);
    out
}

/// Line breaks can only come from the template: names have none.
fn guard(text: &str, out: &mut String) {
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if line.chars().all(is_harmless) {
            out.push_str(line);
        } else {
            out.push_str(&marked(&vec![Span::Foreign(line.to_owned())]));
        }
    }
}

/// No markup of any channel gives it a meaning.
fn is_harmless(character: char) -> bool {
    let invisible = crate::visible::is_invisible(character);
    !invisible
        && (!character.is_ascii() || character.is_ascii_alphanumeric() || " .,:;-+%?=".contains(character))
}

/// What a template made, with the markup of a channel in place of the marks.
pub(super) fn resolved(text: &str, markup: &dyn Markup) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        out.push_str(&rest[..begin]);
        let inner = &rest[begin + BEGIN.len_utf8()..];
        let (piece, behind) = inner.split_once(END).unwrap_or((inner, ""));
        markup.span(&span(piece), &mut out);
        rest = behind;
    }
    out.push_str(rest);
    out.retain(|character| !MARKS.contains(&character));
    out
}

/// A piece whose mark a filter has damaged is foreign.
fn span(piece: &str) -> Span {
    let mut characters = piece.chars();
    let sort = characters.next();
    let (text, owned) = (characters.as_str(), || characters.as_str().to_owned());
    match (sort, text.split_once(AND)) {
        (Some('o'), None) => Span::Own(owned()),
        (Some('s'), None) => Span::Strong(owned()),
        (Some('n'), None) => Span::Name(owned()),
        (Some('c'), None) => Span::Code(owned()),
        (Some('m'), Some((seconds, shown))) => {
            let at = seconds.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            match at {
                Some(at) => Span::Moment { at, shown: shown.to_owned() },
                None => Span::Foreign(shown.to_owned()),
            }
        }
        (Some('l'), Some((label, url))) => Span::Link { label: label.to_owned(), url: url.to_owned() },
        _ => Span::Foreign(tidy(text).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Shows what is given to the markup, and as what.
    struct Sorts;

    impl Markup for Sorts {
        fn span(&self, span: &Span, out: &mut String) {
            let written = match span {
                Span::Own(text) => write!(out, "own({text})"),
                Span::Strong(text) => write!(out, "strong({text})"),
                Span::Foreign(text) => write!(out, "foreign({text})"),
                Span::Name(text) => write!(out, "name({text})"),
                Span::Code(text) => write!(out, "code({text})"),
                Span::Moment { at, shown } => write!(out, "moment({}, {shown})", at.timestamp()),
                Span::Link { label, url } => write!(out, "link({label}, {url})"),
            };
            written.expect("writing into memory cannot fail");
        }
    }

    #[test]
    fn every_piece_of_a_line_arrives_as_what_it_is() {
        let line = vec![
            Span::Own("a".into()),
            Span::Strong("b".into()),
            Span::Foreign("c\u{1}o\u{2}d".into()),
            Span::Name("e".into()),
            Span::Code("f".into()),
            Span::Moment { at: DateTime::UNIX_EPOCH, shown: "then".into() },
            Span::Link { label: "g".into(), url: "https://h".into() },
        ];
        let want = "x own(a)strong(b)foreign(cod)name(e)code(f)moment(0, then)link(g, https://h) y";
        assert_eq!(resolved(&format!("x {} y", marked(&line)), &Sorts), want);
    }

    #[test]
    fn text_that_could_mean_something_is_foreign() {
        for (name, text, want) in [
            ("a word", "critical", "critical"),
            ("Chinese", "剩余 7 天，订单库", "剩余 7 天，订单库"),
            ("emoji", "🔥", "🔥"),
            ("a mention", "@all", "foreign(@all)"),
            ("a link", "https://e", "foreign(https://e)"),
            ("underscores", "a_b", "foreign(a_b)"),
            ("a line break of the template", "a\n*b*", "a\nforeign(*b*)"),
            ("a mark beside foreign text", "\u{1}nx\u{2}*y*", "name(x)foreign(*y*)"),
            ("a mark that was cut", "*a* \u{1}nx", "foreign(*a* )name(x)"),
            ("a mark that was changed", "\u{1}Nx\u{2}", "foreign(x)"),
            ("a moment that is none", "\u{1}mx\u{3}<y>\u{2}", "foreign(<y>)"),
        ] {
            assert_eq!(resolved(&guarded(text), &Sorts), want, "{name}");
        }
    }
}
