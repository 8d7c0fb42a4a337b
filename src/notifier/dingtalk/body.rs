//! What is posted to a DingTalk robot. Pure; the signature is not part of the body.

use serde_json::{Value, json};

use super::markup::Markdown;
use crate::domain::alert::message::Message;
use crate::notifier::robot::{MOST_PARTS, Voice, bare, numbered};
use crate::notifier::script::{Budget, Unit};
use crate::notifier::text;
use crate::notifier::{Part, Setting};
use crate::visible::shortened;

/// Bytes of a whole body; the robot takes 20,000.
const WHOLE: usize = 18_000;
/// Characters of the title, which is shown in the list of conversations only.
const LONGEST_TITLE: usize = 100;
/// Bytes of the short text that is sent when the long one was refused.
const SHORT: usize = 1500;

/// A message as Markdown, in parts.
pub(super) fn parts(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Vec<Part> {
    let mention = voice.mention(message);
    let contents = text::parts(message, setting, &Markdown, budget(voice, mention));
    let content = |(index, composed): (usize, text::Composed)| {
        let called = if index == 0 { mention } else { &[] };
        let title = voice.with_keyword(shortened(&composed.title, LONGEST_TITLE).into_owned(), " · ");
        markdown(&title, &with_calls(voice.with_keyword(composed.text, "\n\n"), called), called)
    };
    numbered(contents.into_iter().enumerate().map(content).collect())
}

/// A message as short plain text.
pub(super) fn plain(message: &Message, setting: &Setting<'_>, voice: &Voice) -> Part {
    let mention = voice.mention(message);
    let text = with_calls(voice.with_keyword(bare(message, setting, SHORT).text, "\n"), mention);
    let content = json!({"msgtype": "text", "text": {"content": text}, "at": at(mention)});
    Part { content, name: "plain".to_owned() }
}

/// What is left for the text once the rest of the longest body is counted.
fn budget(voice: &Voice, mention: &[String]) -> Budget {
    let title = "\u{10000}".repeat(LONGEST_TITLE + 1);
    let rest = with_calls(voice.with_keyword(String::new(), "\n\n"), mention);
    let rest = markdown(&voice.with_keyword(title, " · "), &rest, mention).to_string().len();
    Budget { limit: WHOLE.saturating_sub(rest), unit: Unit::JsonBytes, parts: MOST_PARTS }
}

fn markdown(title: &str, text: &str, mention: &[String]) -> Value {
    json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}, "at": at(mention)})
}

/// Who is called has to stand in the text as well.
fn with_calls(mut text: String, mention: &[String]) -> String {
    if !mention.is_empty() {
        let calls: Vec<_> = mention.iter().map(|who| format!("@{who}")).collect();
        text.push_str("\n\n");
        text.push_str(&calls.join(" "));
    }
    text
}

/// Telephone numbers and user ids have lists of their own; `all` is a switch.
fn at(mention: &[String]) -> Value {
    let is_number =
        |who: &&String| who.chars().all(|character| character.is_ascii_digit() || "+-".contains(character));
    let named = mention.iter().filter(|who| *who != "all");
    let (mobiles, users): (Vec<_>, Vec<_>) = named.partition(is_number);
    json!({"atMobiles": mobiles, "atUserIds": users, "isAtAll": mention.iter().any(|who| who == "all")})
}
