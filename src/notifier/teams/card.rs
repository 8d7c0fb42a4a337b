//! A message as an adaptive card 1.4, of the few elements that a workflow shows without fail.
//!
//! Pure. Teams judges the size after it has accepted a card, and then says nothing: so a card stays below the budget
//! by leaving whole entries out and saying how many.

use serde_json::{Value, json};

use super::markup::{Markdown, escape, web};
use crate::domain::alert::message::Tone;
use crate::domain::policy::Locale;
use crate::notifier::script::{DETAILED, Entry, Line, Markup as _, Script, Span};
use crate::notifier::text;

/// Bytes of the whole body; Teams drops what is above about 28 KB.
const BUDGET: usize = 24_000;
/// Bytes of the text of a card in the operator's own words, as a JSON string.
pub const TEXT: usize = 20_000;
/// Kept for the line that says what is missing, and for commas.
const RESERVE: usize = 600;
/// Entries in one element, while there are many.
const TOGETHER: usize = 10;
/// Characters of a heading.
const TITLE: usize = 300;

/// The whole body of a message; `status_page` becomes a button.
pub fn body(script: &Script, status_page: Option<&str>) -> Value {
    let title = text::plain(&script.title);
    let actions = actions(script, status_page);
    let around = [vec![heading(&title, script.tone)], lines(&script.opening), last(script)];
    let taken = size(&wrapped(around.concat(), actions.clone()));
    let [mut elements, opening, last] = around;
    elements.extend(opening);
    elements.extend(entries(script, BUDGET.saturating_sub(taken + RESERVE)));
    elements.extend(last);
    wrapped(elements, actions)
}

/// The body of a text that is escaped already.
pub fn worded(title: &str, text: &str, tone: Tone) -> Value {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let elements: Vec<_> = paragraphs.map(block).collect();
    let elements = if elements.is_empty() { vec![heading(title, tone)] } else { elements };
    wrapped(elements, Vec::new())
}

fn wrapped(body: Vec<Value>, actions: Vec<Value>) -> Value {
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if !actions.is_empty() {
        card["actions"] = Value::Array(actions);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn heading(title: &str, tone: Tone) -> Value {
    let title = if title.trim().is_empty() { "notafter" } else { title };
    let title: String = title.chars().take(TITLE).collect();
    json!({
        "type": "TextBlock",
        "text": escape(&title),
        "wrap": true,
        "weight": "Bolder",
        "size": "Medium",
        "color": colour(tone),
    })
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "Good",
        Tone::Health => "Default",
        Tone::Info => "Accent",
        Tone::Warning => "Warning",
        Tone::Critical | Tone::Expired => "Attention",
    }
}

fn lines(lines: &[Line]) -> Vec<Value> {
    lines.iter().map(|line| rendered(line)).filter(|text| !text.is_empty()).map(|text| block(&text)).collect()
}

/// What stands below the entries.
fn last(script: &Script) -> Vec<Value> {
    let mut last = lines(&script.closing);
    let footer = rendered(&script.footer);
    if !footer.is_empty() {
        last.push(json!({
            "type": "TextBlock", "text": footer, "wrap": true, "size": "Small", "isSubtle": true, "separator": true,
        }));
    }
    last
}

/// As many entries as there is room for: with all their lines while there are few, one line each otherwise.
fn entries(script: &Script, room: usize) -> Vec<Value> {
    let together = if script.entries.len() <= DETAILED { 1 } else { TOGETHER };
    let (mut elements, mut used, mut shown) = (Vec::new(), 0, 0);
    for group in script.entries.chunks(together) {
        let element = if together == 1 { details(&group[0]) } else { list(group) };
        let wanted = size(&element) + 1;
        if used + wanted > room {
            break;
        }
        elements.push(element);
        (used, shown) = (used + wanted, shown + group.len());
    }
    let missing = script.entries.len() - shown + script.left_out;
    elements.extend((missing > 0).then(|| block(&escape(&and_more(missing, script.locale)))));
    elements
}

fn details(entry: &Entry) -> Value {
    let mut items = vec![block(&rendered(&entry.head))];
    items.extend(lines(&entry.lines).into_iter().map(|mut line| {
        line["spacing"] = json!("Small");
        line
    }));
    json!({ "type": "Container", "separator": true, "items": items })
}

fn list(entries: &[Entry]) -> Value {
    let mut text = String::new();
    for entry in entries {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        Markdown.before_entry(entry.tone, &mut text);
        Markdown.line(&entry.short, &mut text);
    }
    block(&text)
}

fn block(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": text, "wrap": true })
}

/// Where to look at it: the one certificate, and the status page.
fn actions(script: &Script, status_page: Option<&str>) -> Vec<Value> {
    let (console, status) = match script.locale {
        Locale::En => ("Console", "Status page"),
        Locale::Zh => ("控制台", "状态页"),
    };
    let only = script.entries.first().filter(|_| script.entries.len() == 1);
    let console = only.and_then(|entry| entry.link.as_deref()).and_then(|url| open(console, url));
    console.into_iter().chain(status_page.and_then(|url| open(status, url))).collect()
}

fn open(title: &str, url: &str) -> Option<Value> {
    web(url).map(|url| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
}

fn and_more(count: usize, locale: Locale) -> String {
    match locale {
        Locale::En => format!("… and {count} more"),
        Locale::Zh => format!("…… 另有 {count} 项"),
    }
}

fn rendered(line: &[Span]) -> String {
    let mut text = String::new();
    line.iter().for_each(|span| Markdown.span(span, &mut text));
    text
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}
