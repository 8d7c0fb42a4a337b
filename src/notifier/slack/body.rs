//! A message as blocks: heading, sections, small print, with a bar of colour beside them.
//!
//! Pure. Every limit of Slack is kept here, by leaving whole lines out and saying how many.

use serde_json::{Value, json};

use super::markup::{Mrkdwn, escape};
use crate::domain::alert::message::Tone;
use crate::domain::policy::Locale;
use crate::notifier::script::{DETAILED, Entry, Line, Markup as _, Script, Span};
use crate::notifier::text;

/// Characters of a heading.
const HEADER: usize = 150;
/// Characters of a section; Slack takes 3000.
pub const SECTION: usize = 2900;
/// Characters of all blocks; Slack refuses more than about 13,100 without saying so in its documentation.
const TOTAL: usize = 12_000;
/// Kept for the line that says what is missing.
const RESERVE: usize = 200;
/// Characters of the line of a push notification.
const PREVIEW: usize = 400;

/// The whole body of a message.
pub fn body(script: &Script) -> Value {
    let title = text::plain(&script.title);
    wrapped(&title, script.tone, &blocks(script, &title))
}

/// The body of a text in the operator's own words, which is escaped already.
pub fn worded(title: &str, text: &str, tone: Tone) -> Value {
    let text = if text.trim().is_empty() { escape(shown_title(title)) } else { text.to_owned() };
    wrapped(title, tone, &[section(&cut(&text, SECTION))])
}

/// The simplest body there is.
pub fn simple(text: &str) -> Value {
    let text = if text.trim().is_empty() { "notafter" } else { text };
    json!({ "text": text, "unfurl_links": false, "unfurl_media": false })
}

fn wrapped(title: &str, tone: Tone, blocks: &[Value]) -> Value {
    let preview = escape(&cut(shown_title(title), PREVIEW));
    json!({
        "text": preview,
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{ "color": colour(tone), "fallback": preview, "blocks": blocks }],
    })
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#2e7d32",
        Tone::Health => "#757575",
        Tone::Info => "#1976d2",
        Tone::Warning => "#f9a825",
        Tone::Critical | Tone::Expired => "#d32f2f",
    }
}

/// An empty text is refused.
fn shown_title(title: &str) -> &str {
    if title.trim().is_empty() { "notafter" } else { title }
}

fn blocks(script: &Script, title: &str) -> Vec<Value> {
    let opening = fitting(script.opening.iter().map(rendered));
    let closing = fitting(script.closing.iter().map(rendered));
    let footer = cut_markup(rendered(&script.footer), &script.footer);
    let heading = cut(shown_title(title), HEADER);
    let taken = [&heading, &opening, &closing, &footer].map(|text| length(text)).iter().sum::<usize>();
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": heading, "emoji": false },
    })];
    blocks.extend(present(&opening));
    blocks.extend(entries(script, TOTAL - RESERVE - taken).iter().flat_map(|text| present(text)));
    blocks.extend(present(&closing));
    if !footer.is_empty() {
        blocks.push(json!({ "type": "context", "elements": [mrkdwn(&footer)] }));
    }
    blocks
}

/// The entries as sections: one each while there are few, many lines in one otherwise.
fn entries(script: &Script, room: usize) -> Vec<String> {
    let detailed = script.entries.len() <= DETAILED;
    let texts = script
        .entries
        .iter()
        .map(|entry| if detailed { details(entry, script.locale) } else { one_line(entry) });
    let mut sections: Vec<String> = Vec::new();
    let (mut used, mut shown) = (0, 0);
    for text in texts {
        let wanted = length(&text) + 1;
        if used + wanted > room {
            break;
        }
        match sections.last_mut().filter(|last| !detailed && length(last) + wanted <= SECTION) {
            Some(last) => last.extend(["\n", &text]),
            None => sections.push(text),
        }
        (used, shown) = (used + wanted, shown + 1);
    }
    let missing = script.entries.len() - shown + script.left_out;
    sections.extend((missing > 0).then(|| and_more(missing, script.locale)));
    sections
}

fn details(entry: &Entry, locale: Locale) -> String {
    let linked = entry.head.iter().chain(entry.lines.iter().flatten());
    let linked = linked.into_iter().any(|span| matches!(span, Span::Link { .. }));
    let mut head = cut_markup(rendered(&entry.head), &entry.head);
    if let Some(url) = entry.link.as_ref().filter(|_| !linked) {
        let label = match locale {
            Locale::En => "console",
            Locale::Zh => "控制台",
        };
        head.push_str(" · ");
        Mrkdwn.span(&Span::Link { label: label.to_owned(), url: url.clone() }, &mut head);
    }
    fitting(std::iter::once(head).chain(entry.lines.iter().map(rendered)))
}

fn one_line(entry: &Entry) -> String {
    let mut text = String::new();
    Mrkdwn.before_entry(entry.tone, &mut text);
    text + &cut_markup(rendered(&entry.short), &entry.short)
}

fn and_more(count: usize, locale: Locale) -> String {
    match locale {
        Locale::En => format!("… and {count} more"),
        Locale::Zh => format!("…… 另有 {count} 项"),
    }
}

/// As many of the lines as a section takes.
fn fitting(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines.filter(|line| !line.is_empty()) {
        if length(&text) + length(&line) < SECTION {
            text.extend([if text.is_empty() { "" } else { "\n" }, &line]);
        }
    }
    text
}

fn rendered(line: &Line) -> String {
    let mut text = String::new();
    Mrkdwn.line(line, &mut text);
    text
}

/// A line that alone would fill its section is shown without markup and cut.
fn cut_markup(markup: String, line: &Line) -> String {
    const LONGEST_LINE: usize = SECTION / 2;
    if length(&markup) <= LONGEST_LINE { markup } else { escape(&cut(&text::plain(line), LONGEST_LINE / 5)) }
}

fn present(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| section(text))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

/// `verbatim`: addresses and names of channels within names are not made into links.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
