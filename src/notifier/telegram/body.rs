//! What is posted to a Telegram chat. Pure.

use serde_json::{Value, json};

use super::html::{Html, length, stripped};
use crate::domain::alert::message::Message;
use crate::notifier::robot::{MOST_PARTS, bare, numbered};
use crate::notifier::script::{Budget, Unit};
use crate::notifier::text::{self, Composed};
use crate::notifier::{Outcome, Part, Receipt, Setting};

/// Characters of a text; 4096 are taken, counted in units of UTF-16 without the markup.
const LONGEST: usize = 3800;
/// The same, for texts of which each character may count twice.
const LONGEST_OF_EMOJI: usize = LONGEST / 2;
/// Bytes of the short text that is sent when the long one was refused.
const SHORT: usize = 1500;

/// Where to write.
#[derive(Debug, Clone)]
pub(super) struct Chat {
    /// As the settings name it: a number, or `@name`.
    pub(super) id: String,
    /// Topic inside of a group.
    pub(super) thread: Option<i64>,
}

impl Chat {
    /// The number that it has now, as far as earlier answers told.
    fn present(&self, setting: &Setting<'_>) -> Value {
        let id = (setting.notes)(&self.note()).unwrap_or_else(|| self.id.clone());
        id.parse::<i64>().map_or_else(|_| Value::from(id), Value::from)
    }

    /// The outcome, with the new number for later messages if this one arrived there.
    pub(super) fn remembering(&self, outcome: Outcome, to: i64) -> Outcome {
        let Outcome::Delivered(receipt) = outcome else { return outcome };
        let notes = receipt.notes.into_iter().chain([(self.note(), to.to_string())]).collect();
        Outcome::Delivered(Receipt { notes, ..receipt })
    }

    /// Names the number of the settings, so that a note ends with the setting that it is about.
    fn note(&self) -> String {
        format!("chat_id:{}", self.id)
    }

    fn body(&self, setting: &Setting<'_>, text: &str) -> Value {
        let mut body = json!({
            "chat_id": self.present(setting),
            "text": text,
            "link_preview_options": {"is_disabled": true},
        });
        if let Some(thread) = self.thread {
            body["message_thread_id"] = thread.into();
        }
        body
    }
}

/// A message as HTML, in parts.
pub(super) fn parts(message: &Message, setting: &Setting<'_>, chat: &Chat) -> Vec<Part> {
    let content = |composed: Composed| {
        let mut body = chat.body(setting, &composed.text);
        body["parse_mode"] = "HTML".into();
        body
    };
    numbered(composed(message, setting).into_iter().map(content).collect())
}

fn composed(message: &Message, setting: &Setting<'_>) -> Vec<Composed> {
    let budget = |limit| Budget { limit, unit: Unit::Characters, parts: MOST_PARTS };
    let parts = text::parts(message, setting, &Html, budget(LONGEST));
    if parts.iter().all(|part| length(&part.text) <= LONGEST) {
        return parts;
    }
    text::parts(message, setting, &Html, budget(LONGEST_OF_EMOJI))
}

/// A message as short plain text.
pub(super) fn plain(message: &Message, setting: &Setting<'_>, chat: &Chat) -> Part {
    Part { content: chat.body(setting, &bare(message, setting, SHORT).text), name: "plain".to_owned() }
}

/// The same text, to be taken as it is.
pub(super) fn without_markup(content: &Value) -> Value {
    let mut content = content.clone();
    if let Some(body) = content.as_object_mut() {
        body.remove("parse_mode");
        let text = body.get("text").and_then(Value::as_str).map(stripped).unwrap_or_default();
        body.insert("text".to_owned(), text.into());
    }
    content
}
