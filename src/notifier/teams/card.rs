//! A message as an adaptive card 1.4, of the few elements that a workflow shows without fail.
//!
//! Pure. Teams judges the size after it has accepted a card, and then says nothing: so the text composer gets a budget
//! that leaves room for everything around the text, and leaves whole items out.

use serde_json::{Value, json};

use super::markup::{Markdown, escape, web};
use crate::domain::alert::message::{Message, Tone};
use crate::domain::policy::Locale;
use crate::notifier::script::{Budget, DETAILED, Markup as _, Script, Unit};
use crate::notifier::{Setting, text};

/// Bytes of the text as JSON. The elements around it take up to 6,000 more; Teams drops what is above about 28,000.
const MIDDLE: Budget = Budget { limit: 18_000, unit: Unit::JsonBytes, parts: 1 };
/// Short text.
const SIMPLE: Budget = Budget { limit: 3000, unit: Unit::JsonBytes, parts: 1 };
/// Lines of a list in one element.
const TOGETHER: usize = 10;
/// Characters of a heading.
const TITLE: usize = 300;
/// Bytes of an address behind a button.
const LONGEST_LINK: usize = 1000;

/// The body of a message in our words.
pub fn body(message: &Message, setting: &Setting<'_>) -> Value {
    let script = text::script(message, setting);
    let markup = Markdown { bullets: script.entries.len() > DETAILED };
    let mut footer = String::new();
    markup.line(&script.footer, &mut footer);
    let middle = Script { title: Vec::new(), footer: Vec::new(), closing: Vec::new(), ..script.clone() };
    let composed = text::compose(&middle, &markup, MIDDLE);
    let mut elements = vec![heading(&text::plain(&script.title), script.tone)];
    elements.extend(composed.iter().flat_map(|part| blocks(&part.text)));
    if !footer.is_empty() {
        elements.push(json!({
            "type": "TextBlock", "text": footer, "wrap": true, "size": "Small", "isSubtle": true, "separator": true,
        }));
    }
    wrapped(&elements, &actions(&script, setting.external_url))
}

/// The body of a message in the operator's own words.
pub fn worded(message: &Message, setting: &Setting<'_>) -> Value {
    of_text(message, setting, MIDDLE)
}

/// The simplest body there is.
pub fn simple(message: &Message, setting: &Setting<'_>) -> Value {
    of_text(message, setting, SIMPLE)
}

fn of_text(message: &Message, setting: &Setting<'_>, budget: Budget) -> Value {
    let composed = text::parts(message, setting, &Markdown { bullets: true }, budget);
    let mut elements: Vec<_> = composed.iter().take(1).flat_map(|part| blocks(&part.text)).collect();
    if elements.is_empty() {
        elements.push(heading(composed.first().map_or("", |part| &part.title), message.tone()));
    }
    wrapped(&elements, &[])
}

fn wrapped(body: &[Value], actions: &[Value]) -> Value {
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if !actions.is_empty() {
        card["actions"] = json!(actions);
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

/// A container for each block of a text. Within one, a list stays together, other lines stand apart: a newline alone
/// breaks a line in lists only.
fn blocks(text: &str) -> Vec<Value> {
    let blocks = text.split(Markdown::BLOCK_BREAK).map(elements).filter(|elements| !elements.is_empty());
    blocks.map(|items| json!({ "type": "Container", "separator": true, "items": items })).collect()
}

fn elements(block: &str) -> Vec<Value> {
    let mut texts: Vec<(String, usize)> = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let in_list = line.starts_with(Markdown::BULLET);
        match texts.last_mut().filter(|(_, lines)| in_list && (1..TOGETHER).contains(lines)) {
            Some((text, lines)) => {
                text.extend(["\n", line]);
                *lines += 1;
            }
            None => texts.push((line.to_owned(), usize::from(in_list))),
        }
    }
    let text_block =
        |(text, _)| json!({ "type": "TextBlock", "text": text, "wrap": true, "spacing": "Small" });
    texts.into_iter().map(text_block).collect()
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
    let url = web(url).filter(|url| url.len() <= LONGEST_LINK)?;
    Some(json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
}
