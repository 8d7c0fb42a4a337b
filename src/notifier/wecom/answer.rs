//! What WeCom's answers mean. Its status is always 200; its words name our address and carry links, so only the code
//! is kept, and what we know of it.

use std::time::Duration;

use crate::notifier::answer::{Said, busy, delivered, throttled, unreadable};
use crate::notifier::post::{Post, Reply, refused};
use crate::notifier::{Outcome, Refusal};

/// So long a robot that was too fast is left alone.
const PAUSE: Duration = Duration::from_mins(1);
/// Where its own words end and the hint, our address and the link to its help begin.
const BEHIND_WORDS: [&str; 5] = ["hint", "from ip", "more info", "http:", "https:"];

/// What became of a message.
pub(super) fn read(post: &Post, reply: &Reply) -> Outcome {
    if let Some(outcome) = post.usual(reply) {
        return outcome;
    }
    let Some(said) = Said::read(&reply.body, &["errcode"], &["errmsg"]) else {
        return unreadable(post, reply);
    };
    let text = |meaning: &str| format!("errcode {}: {meaning}", said.code);
    match said.code {
        0 => delivered(text("ok")),
        45_009 => throttled(PAUSE, text("too many messages in a minute")),
        -1 | 45_033 => busy(None, text("the other side is busy")),
        93_000 => refused(Refusal::Credentials, text("the key is not valid, or the robot was removed")),
        40_008 => refused(Refusal::Content, text("the type of the message is not known there")),
        40_058 => refused(Refusal::Content, text("the message is too long or not well-formed")),
        44_004 => refused(Refusal::Content, text("the message is empty")),
        47_001 => refused(Refusal::Content, text("the message is not the JSON that is expected there")),
        _ if said.sounds_like_rate() => throttled(PAUSE, text(&own_words(post, &said))),
        _ => refused(Refusal::Content, text(&own_words(post, &said))),
    }
}

/// What it says of a code that we do not know, up to where it begins to tell of us.
fn own_words(post: &Post, said: &Said) -> String {
    let words = said.shown(post);
    let lower = words.to_ascii_lowercase();
    let end = BEHIND_WORDS.iter().filter_map(|word| lower.find(word)).min().unwrap_or(words.len());
    words[..end].trim_end_matches([' ', ',', '[', '.']).to_owned()
}
