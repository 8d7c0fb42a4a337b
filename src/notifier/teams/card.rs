//! A message as an adaptive card 1.4, of the few elements that a workflow shows without fail.
//!
//! Pure. Teams judges the size after it has accepted a card, and then says nothing: so the finished card is measured. Where
//! it is too large, its lines share elements, and then the text composer gets a smaller budget and leaves whole items out.

use serde_json::{Value, json};

use super::markup::{Markdown, escape, web};
use crate::domain::alert::message::{Message, Tone};
use crate::domain::policy::Locale;
use crate::notifier::Setting;
use crate::notifier::script::{Budget, DETAILED, Markup as _, Script, Unit};
use crate::notifier::text::{self, Composed};

/// Bytes of a whole card; Teams drops what is above about 28,000.
const CARD: usize = 24_000;
/// Bytes of the text as JSON, to begin with.
const MIDDLE: Budget = Budget { limit: 18_000, unit: Unit::JsonBytes, parts: 1 };
/// Short text.
const SIMPLE: Budget = Budget { limit: 3000, unit: Unit::JsonBytes, parts: 1 };
/// Lines of a list, or of others that share one, in one element.
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
    let (title, actions) = (text::plain(&script.title), actions(&script, setting.external_url));
    let texts = |budget| text::compose(&middle, &markup, budget);
    fitted(MIDDLE, texts, |composed, lines| {
        let mut elements = vec![heading(&title, script.tone)];
        elements.extend(composed.iter().flat_map(|part| blocks(&part.text, lines)));
        if !footer.is_empty() {
            elements.push(json!({
                "type": "TextBlock", "text": footer, "wrap": true, "size": "Small", "isSubtle": true, "separator": true,
            }));
        }
        wrapped(&elements, &actions)
    })
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
    let texts = |budget| text::parts(message, setting, &Markdown { bullets: true }, budget);
    fitted(budget, texts, |composed, lines| {
        let mut elements: Vec<_> =
            composed.iter().take(1).flat_map(|part| blocks(&part.text, lines)).collect();
        if elements.is_empty() {
            elements.push(heading(composed.first().map_or("", |part| &part.title), message.tone()));
        }
        wrapped(&elements, &[])
    })
}

/// How lines that are in no list stand: a newline alone breaks a line in lists only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// Each in an element of its own, and each block in a container.
    Apart,
    /// Several in one element, as paragraphs; an element takes as much as a short line.
    Together,
}

/// The first card that is not too large. The smallest budget always makes one.
fn fitted(
    budget: Budget,
    texts: impl Fn(Budget) -> Vec<Composed>,
    card: impl Fn(&[Composed], Lines) -> Value,
) -> Value {
    let mut budget = budget;
    loop {
        let composed = texts(budget);
        let apart = card(&composed, Lines::Apart);
        if size(&apart) <= CARD {
            return apart;
        }
        let together = card(&composed, Lines::Together);
        if size(&together) <= CARD || budget.limit <= SIMPLE.limit {
            return together;
        }
        budget.limit -= budget.limit / 4;
    }
}

fn size(card: &Value) -> usize {
    card.to_string().len()
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

/// A container for each block of a text, or one for all of them. Within one, a list stays together.
fn blocks(text: &str, lines: Lines) -> Vec<Value> {
    let blocks = match lines {
        Lines::Apart => text.split(Markdown::BLOCK_BREAK).collect(),
        Lines::Together => vec![text],
    };
    let blocks = blocks.into_iter().map(|block| elements(block, lines)).filter(|items| !items.is_empty());
    blocks.map(|items| json!({ "type": "Container", "separator": true, "items": items })).collect()
}

fn elements(block: &str, lines: Lines) -> Vec<Value> {
    /// The lines of an element, how many they are, and whether they are a list.
    type Element = (String, usize, bool);
    let mut elements: Vec<Element> = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let in_list = line.starts_with(Markdown::BULLET);
        let joins = |(_, count, list): &&mut Element| {
            *list == in_list && *count < TOGETHER && (in_list || lines == Lines::Together)
        };
        match elements.last_mut().filter(joins) {
            Some((text, count, _)) => {
                text.extend([if in_list { "\n" } else { "\n\n" }, line]);
                *count += 1;
            }
            None => elements.push((line.to_owned(), 1, in_list)),
        }
    }
    let text_block =
        |(text, ..): Element| json!({ "type": "TextBlock", "text": text, "wrap": true, "spacing": "Small" });
    elements.into_iter().map(text_block).collect()
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
