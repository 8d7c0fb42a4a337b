//! What Telegram's answers mean. Its own table comes first, because 403 and 404 mean something else there.

use std::time::Duration;

use serde_json::Value;

use crate::notifier::answer::{delivered, number, throttled, unreadable};
use crate::notifier::post::{Post, Reply, refused, retry_after};
use crate::notifier::{Outcome, Refusal};
use crate::visible::shortened;

/// No hint is believed beyond these.
const PAUSE_LIMITS: [u64; 2] = [1, 3600];
/// Its words may be so long beside ours.
const LONGEST_WORDS: usize = 150;
/// Words of 400 that mean the chat and not the message.
const ABOUT_THE_CHAT: [&str; 5] =
    ["chat not found", "kicked", "deactivated", "not enough rights", "message thread not found"];

/// What is to be done about an answer.
pub(super) enum Verdict {
    /// Nothing more.
    Settled(Outcome),
    /// The chat has another number now: send it there.
    Moved {
        /// The new number; may need more than 32 bits.
        to: i64,
    },
    /// The markup was not understood: send it without.
    BadMarkup,
}

impl Verdict {
    /// The outcome when there is no other attempt.
    pub(super) fn settled(self) -> Outcome {
        match self {
            Self::Settled(outcome) => outcome,
            Self::Moved { .. } => {
                refused(Refusal::Target, "the chat has a new number, and that has one as well")
            }
            Self::BadMarkup => {
                refused(Refusal::Content, "the markup was not understood, nor the text without it")
            }
        }
    }
}

/// What became of a message.
pub(super) fn read(post: &Post, reply: &Reply) -> Verdict {
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let Some(json) = json.filter(|json| json["ok"].is_boolean()) else { return foreign(post, reply) };
    if json["ok"] == true && reply.status.is_success() {
        let id = &json["result"]["message_id"];
        return Verdict::Settled(delivered(format!("message_id {id}")));
    }
    if let Some(to) = number(&json["parameters"]["migrate_to_chat_id"]) {
        return Verdict::Moved { to };
    }
    let status = number(&json["error_code"]).unwrap_or_else(|| i64::from(reply.status.as_u16()));
    let words = json["description"].as_str().unwrap_or_default();
    let text = format!("error {status}: {}", shortened(&post.clean(words), LONGEST_WORDS));
    judged(post, reply, &json, (status, words, text))
}

fn judged(post: &Post, reply: &Reply, json: &Value, (status, words, text): (i64, &str, String)) -> Verdict {
    let lower = words.to_ascii_lowercase();
    Verdict::Settled(match status {
        429 => throttled(pause(reply, json), text),
        400 if lower.contains("can't parse entities") => return Verdict::BadMarkup,
        400 if ABOUT_THE_CHAT.iter().any(|word| lower.contains(word)) => refused(Refusal::Target, text),
        401 | 404 => refused(Refusal::Credentials, format!("{text}; the bot's token is not valid")),
        403 => refused(Refusal::Target, text),
        408 | 500..=599 => post.later(reply, crate::domain::reason::Reason::Unreachable),
        _ => refused(Refusal::Content, text),
    })
}

/// An answer that is not Telegram's own.
fn foreign(post: &Post, reply: &Reply) -> Verdict {
    Verdict::Settled(post.usual(reply).unwrap_or_else(|| unreadable(post, reply)))
}

fn pause(reply: &Reply, json: &Value) -> Duration {
    let [least, most] = PAUSE_LIMITS;
    let inside = json["parameters"]["retry_after"].as_u64();
    let inside = inside.map(|seconds| Duration::from_secs(seconds.clamp(least, most)));
    inside.or_else(|| retry_after(&reply.headers, reply.at)).unwrap_or(Duration::from_mins(1))
}
