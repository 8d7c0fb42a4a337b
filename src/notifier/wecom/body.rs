//! What is posted to a WeCom robot. Pure.
//!
//! 4096 bytes are about 1365 Chinese characters: long lists go in numbered parts.

use serde_json::{Value, json};

use super::markup::Markdown;
use crate::domain::alert::message::Message;
use crate::notifier::robot::{MOST_PARTS, Voice, bare, numbered};
use crate::notifier::script::{Budget, Unit};
use crate::notifier::text;
use crate::notifier::{Part, Setting};
use crate::visible::shortened;

/// Bytes of Markdown; the robot takes 4096.
const MARKDOWN: Budget = Budget { limit: 3900, unit: Unit::Bytes, parts: MOST_PARTS };
/// Bytes of a plain text as JSON; the robot takes 2048 of them undressed.
const SHORT: usize = 1500;
/// Characters of the line that calls people.
const LONGEST_CALL: usize = 200;

/// A message as Markdown, in parts; when somebody is to be called, one more that does it, because Markdown cannot.
pub(super) fn parts(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Vec<Part> {
    let texts = text::parts(message, setting, &Markdown { tone: message.tone() }, MARKDOWN);
    let title = texts.first().map(|first| first.title.clone()).unwrap_or_default();
    let markdown =
        |composed: text::Composed| json!({"msgtype": "markdown", "markdown": {"content": composed.text}});
    let mut parts = numbered(texts.into_iter().map(markdown).collect());
    let mention = voice.mention(message);
    if !mention.is_empty() {
        let content = plain_text(&shortened(&title, LONGEST_CALL), mention);
        parts.push(Part { content, name: "mention".to_owned() });
    }
    parts
}

/// A message as short plain text.
pub(super) fn plain(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Part {
    let content = plain_text(&bare(message, setting, SHORT).text, voice.mention(message));
    Part { content, name: "plain".to_owned() }
}

fn plain_text(text: &str, mention: &[String]) -> Value {
    let is_number = |who: &&String| {
        who.chars().all(|character| character.is_ascii_digit() || character == '+') && who.len() > 6
    };
    let (mobiles, users): (Vec<&String>, Vec<&String>) = mention.iter().partition(is_number);
    let users: Vec<&str> = users.into_iter().map(|who| if who == "all" { "@all" } else { who }).collect();
    let mut content = json!({"content": text});
    if !users.is_empty() {
        content["mentioned_list"] = json!(users);
    }
    if !mobiles.is_empty() {
        content["mentioned_mobile_list"] = json!(mobiles);
    }
    json!({"msgtype": "text", "text": content})
}
