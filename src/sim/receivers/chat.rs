//! What the simulated chats share: a reader of their Markdown, and a count of what came lately.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::Shown;

/// How many requests may come within a span of time.
#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    span: TimeDelta,
    seen: VecDeque<DateTime<Utc>>,
}

impl Window {
    pub(super) fn new(most: usize, span: TimeDelta) -> Self {
        Self { most, span, seen: VecDeque::new() }
    }

    /// Counts one more, unless there were too many.
    pub(super) fn admits(&mut self, at: DateTime<Utc>) -> bool {
        while self.seen.front().is_some_and(|first| at - *first >= self.span) {
            self.seen.pop_front();
        }
        let admitted = self.seen.len() < self.most;
        if admitted {
            self.seen.push_back(at);
        }
        admitted
    }
}

/// Which signs mean something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Backticks.
    pub(super) code: bool,
    /// `_` as emphasis.
    pub(super) underscores: bool,
    /// `&#60;` and its like.
    pub(super) entities: bool,
}

/// A text as people see it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    text: String,
    mentions: Vec<String>,
    links: Vec<String>,
    colour: Option<String>,
}

impl Reading {
    /// Adds it to what is shown, line by line.
    pub(super) fn add_to(self, shown: &mut Shown) {
        shown
            .lines
            .extend(self.text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
        shown.mentions.extend(self.mentions);
        shown.links.extend(self.links);
        shown.colour = shown.colour.take().or(self.colour);
    }
}

/// Applies the markup: what it means disappears, whoever wrote it.
pub(super) fn read(text: &str, dialect: Dialect) -> Reading {
    let mut reading = Reading::default();
    for line in text.split('\n') {
        let line = line.trim_start_matches('#').trim_start_matches("> ");
        inline(line.trim_start(), dialect, &mut reading);
        reading.text.push('\n');
    }
    reading
}

fn inline(mut rest: &str, dialect: Dialect, reading: &mut Reading) {
    while let Some(first) = rest.chars().next() {
        let taken = code(rest, dialect, reading)
            .or_else(|| entity(rest, dialect, reading))
            .or_else(|| link(rest, dialect, reading))
            .or_else(|| tag(rest, reading))
            .or_else(|| emphasis(rest, dialect, &reading.text));
        let taken = taken.unwrap_or_else(|| {
            reading.text.push(first);
            first.len_utf8()
        });
        rest = &rest[taken..];
    }
}

fn code(rest: &str, dialect: Dialect, reading: &mut Reading) -> Option<usize> {
    let inner = rest.strip_prefix('`').filter(|_| dialect.code)?;
    let end = inner.find('`')?;
    reading.text.push_str(&inner[..end]);
    Some(end + 2)
}

fn entity(rest: &str, dialect: Dialect, reading: &mut Reading) -> Option<usize> {
    let inner = rest.strip_prefix("&#").filter(|_| dialect.entities)?;
    let end = inner.find(';')?;
    reading.text.push(char::from_u32(inner[..end].parse().ok()?)?);
    Some(end + 3)
}

/// `[label](address)`, and `![](address)`, which shows a picture.
fn link(rest: &str, dialect: Dialect, reading: &mut Reading) -> Option<usize> {
    let picture = usize::from(rest.starts_with('!'));
    let label = rest[picture..].strip_prefix('[')?;
    let label = &label[..label.find(']')?];
    let behind = &rest[picture + label.len() + 2..];
    let address = behind.strip_prefix('(')?;
    let address = &address[..address.find(')')?];
    inline(label, dialect, reading);
    reading.links.push(address.to_owned());
    Some(picture + label.len() + 2 + address.len() + 2)
}

/// Tags are never seen; some of them call people or colour the text.
fn tag(rest: &str, reading: &mut Reading) -> Option<usize> {
    let inner = rest.strip_prefix('<')?;
    let inner = &inner[..inner.find('>')?];
    if let Some(who) = inner.strip_prefix('@') {
        reading.mentions.push(who.to_owned());
    } else if inner.starts_with("at ") {
        reading.mentions.extend(attribute(inner));
    } else if inner.starts_with("font ") {
        reading.colour = reading.colour.take().or_else(|| attribute(inner));
    }
    Some(inner.len() + 2)
}

fn attribute(tag: &str) -> Option<String> {
    Some(tag.split_once('=')?.1.trim_matches(['"', '\'']).to_owned())
}

/// An underscore within a word is no mark.
fn emphasis(rest: &str, dialect: Dialect, before: &str) -> Option<usize> {
    let mark = ["**", "*", "~~", "_"].into_iter().find(|mark| rest.starts_with(mark))?;
    let in_word = before.ends_with(char::is_alphanumeric) && rest[1..].starts_with(char::is_alphanumeric);
    (mark != "_" || dialect.underscores && !in_word).then_some(mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Dialect = Dialect { code: true, underscores: true, entities: true };

    #[test]
    fn what_is_meant_disappears_and_what_is_escaped_is_seen() {
        for (name, text, want) in [
            ("emphasis", "**a** *b* _c_ ~~d~~", "a b c d"),
            ("an underscore in a word", "evt_01 _a_", "evt_01 a"),
            ("code is literal", "`**a** <b>`", "**a** <b>"),
            ("entities", "&#60;b&#62; &#38; &amp;", "<b> & &amp;"),
            ("a link", "[a **b**](https://e) c", "a b c"),
            ("tags", "a <font color=\"info\">b</font> <br> < c", "a b  < c"),
            ("a heading and a quote", "### a\n> b", "a\nb"),
        ] {
            assert_eq!(read(text, ALL).text.trim(), want, "{name}");
        }
    }

    #[test]
    fn calls_links_and_colours_are_noticed() {
        let text = "<font color=\"warning\">a</font> <@all> <at id=ou_1></at> [x](http://e) ![p](http://f)";
        let reading = read(text, ALL);
        assert_eq!(reading.mentions, ["all", "ou_1"]);
        assert_eq!(reading.links, ["http://e", "http://f"]);
        assert_eq!(reading.colour.as_deref(), Some("warning"));
    }

    #[test]
    fn a_window_forgets_what_is_old() {
        let start: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut window = Window::new(2, TimeDelta::seconds(60));
        let admitted: Vec<_> =
            [0, 1, 2, 59, 60, 61, 62].map(|second| window.admits(start + TimeDelta::seconds(second))).into();
        assert_eq!(admitted, [true, true, false, false, true, true, false]);
    }
}
