//! What is posted to a Feishu or Lark bot, before it is signed. Pure.
//!
//! Cards of the first schema: they show on every client, and ignore what they do not know.

use serde_json::{Value, json};

use super::markup::{CardMarkdown, FOOTER};
use crate::domain::alert::message::{Message, Tone};
use crate::notifier::robot::{MOST_PARTS, Voice, bare, numbered};
use crate::notifier::script::{Budget, Unit};
use crate::notifier::text;
use crate::notifier::{Part, Setting};
use crate::visible::shortened;

/// Bytes of a whole body; the bot takes 20 KB.
const WHOLE: usize = 18_000;
/// Bytes of time and signature, which are added later.
const SIGNATURE: usize = 100;
/// Characters of the card's header.
const LONGEST_TITLE: usize = 100;
/// Bytes of the short text that is sent when the card was refused.
const SHORT: usize = 1500;
/// So many elements of their own at most; what is behind them stands in one.
const MOST_ELEMENTS: usize = 8;

/// A message as cards.
pub(super) fn parts(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Vec<Part> {
    let mention = voice.mention(message);
    let texts = text::parts(message, setting, &CardMarkdown, budget(voice, mention));
    let content = |(index, composed): (usize, text::Composed)| {
        let called = if index == 0 { mention } else { &[] };
        let title = voice.with_keyword(shortened(&composed.title, LONGEST_TITLE).into_owned(), " · ");
        card(message.tone(), &title, &composed.text, called)
    };
    numbered(texts.into_iter().enumerate().map(content).collect())
}

/// A message as short plain text.
pub(super) fn plain(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Part {
    let mut text = voice.with_keyword(bare(message, setting, SHORT).text, "\n");
    for who in voice.mention(message) {
        text.extend(["\n<at user_id=\"", who, "\"></at>"]);
    }
    let content = json!({"msg_type": "text", "content": {"text": text}});
    Part { content, name: "plain".to_owned() }
}

/// What is left for the text once the rest of the longest body is counted.
fn budget(voice: &Voice, mention: &[String]) -> Budget {
    let title = voice.with_keyword("\u{10000}".repeat(LONGEST_TITLE + 1), " · ");
    let blocks = "-\n\n".repeat(MOST_ELEMENTS);
    let rest = card(Tone::Expired, &title, &format!("{blocks}{FOOTER}-"), mention).to_string().len();
    let limit = WHOLE.saturating_sub(SIGNATURE + rest);
    Budget { limit, unit: Unit::JsonBytes, parts: MOST_PARTS }
}

fn card(tone: Tone, title: &str, text: &str, mention: &[String]) -> Value {
    let (body, footer) = text.split_once(FOOTER).unwrap_or((text, ""));
    let mut elements: Vec<_> = blocks(body).map(markdown).collect();
    if !mention.is_empty() {
        elements.push(markdown(&calls(mention)));
    }
    if !footer.trim().is_empty() {
        elements.extend([json!({"tag": "hr"}), markdown(footer)]);
    }
    json!({"msg_type": "interactive", "card": {
        "config": {"wide_screen_mode": true},
        "header": {"template": template(tone), "title": {"tag": "plain_text", "content": title}},
        "elements": elements,
    }})
}

/// The blocks of a text; when there are many, the last ones together.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.trim().splitn(MOST_ELEMENTS, "\n\n").filter(|block| !block.trim().is_empty())
}

fn markdown(text: &str) -> Value {
    json!({"tag": "markdown", "content": text.trim()})
}

fn calls(mention: &[String]) -> String {
    mention.iter().map(|who| format!("<at id={who}></at>")).collect::<Vec<_>>().join(" ")
}

/// Colour of the header.
fn template(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "green",
        Tone::Health => "grey",
        Tone::Info => "blue",
        Tone::Warning => "orange",
        Tone::Critical => "red",
        Tone::Expired => "carmine",
    }
}
