//! Slack's markup as people see it: styles applied, escapes undone, and everybody called who is named.

use super::super::Shown;

/// How a text is read.
pub(super) struct Reading {
    /// `*bold*`, `` `code` `` and so on.
    pub(super) styles: bool,
    /// Addresses become links although nobody said so.
    pub(super) finds_links: bool,
}

/// A line as it is seen; links and mentions are noted.
pub(super) fn read(line: &str, reading: &Reading, shown: &mut Shown) -> String {
    let mut seen = String::new();
    let mut rest = line;
    let mut open: Vec<char> = Vec::new();
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        let apart = !seen.ends_with(is_word);
        if first == '<'
            && let Some((inner, after)) = behind.split_once('>')
        {
            seen.push_str(&bracketed(inner, shown));
            rest = after;
        } else if reading.styles
            && first == '`'
            && apart
            && let Some((inner, after)) = code(behind)
        {
            seen.push_str(&unescaped(inner));
            rest = after;
        } else if reading.styles && open.last() == Some(&first) && !behind.starts_with(is_word) {
            open.pop();
            rest = behind;
        } else if reading.styles && apart && begins_style(first, behind) {
            open.push(first);
            rest = behind;
        } else {
            rest = plain(rest, reading, &mut seen, shown);
        }
    }
    seen
}

/// One character, or an escape, or an address.
fn plain<'a>(rest: &'a str, reading: &Reading, seen: &mut String, shown: &mut Shown) -> &'a str {
    for (escape, character) in ESCAPES {
        if let Some(after) = rest.strip_prefix(escape) {
            seen.push(character);
            return after;
        }
    }
    let is_address = rest.starts_with("http://") || rest.starts_with("https://");
    if reading.finds_links && is_address {
        shown.links.push(rest.split([' ', ')', '|']).next().unwrap_or_default().to_owned());
    }
    let first = rest.chars().next().unwrap_or_default();
    seen.push(first);
    &rest[first.len_utf8()..]
}

const ESCAPES: [(&str, char); 3] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn code(behind: &str) -> Option<(&str, &str)> {
    behind.split_once('`').filter(|(inner, after)| !inner.is_empty() && !after.starts_with(is_word))
}

/// A style begins before something that is no blank, and ends behind something that is none.
fn begins_style(mark: char, behind: &str) -> bool {
    let ends = |(at, _): (usize, &str)| {
        let (inner, after) = (&behind[..at], &behind[at + mark.len_utf8()..]);
        !inner.is_empty() && !inner.ends_with(' ') && !after.starts_with(is_word)
    };
    ['*', '_', '~'].contains(&mark) && !behind.starts_with(' ') && behind.match_indices(mark).any(ends)
}

/// Full-width marks do not set a style apart from a word.
fn is_word(character: char) -> bool {
    !character.is_whitespace() && !character.is_ascii_punctuation()
}

/// `<url|label>`, `<!date^…|text>`, `<!channel>`, `<@U…>`.
fn bracketed(inner: &str, shown: &mut Shown) -> String {
    let (target, label) = inner.split_once('|').unwrap_or((inner, inner));
    match target.chars().next() {
        Some('!') if target.starts_with("!date^") => {}
        Some('!' | '@' | '#') => shown.mentions.push(target.to_owned()),
        _ => shown.links.push(unescaped(target)),
    }
    unescaped(label)
}
