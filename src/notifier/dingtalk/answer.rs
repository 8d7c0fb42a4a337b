//! What DingTalk's answers mean. Status 200 says nothing: the error stands inside.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::notifier::answer::{Said, busy, clocks, delivered, throttled, unreadable};
use crate::notifier::post::{Post, Reply, refused};
use crate::notifier::{Outcome, Receipt, Refusal, Trouble};

/// A robot that was too fast is mute for so long.
const MUTE: Duration = Duration::from_mins(10);
/// The other side asks for patience.
const BUSY: Duration = Duration::from_secs(30);
/// One code for four causes.
const SECURITY: i64 = 310_000;

/// What became of a message.
pub(super) fn read(post: &Post, reply: &Reply, now: DateTime<Utc>) -> Outcome {
    if let Some(outcome) = post.usual(reply) {
        return outcome;
    }
    let Some(said) = said(reply) else { return unreadable(post, reply) };
    let text = format!("errcode {}: {}", said.code, said.shown(post));
    match said.code {
        0 => delivered(text),
        -1 => busy(Some(BUSY), text),
        410_100 | 130_101 => throttled(MUTE, text),
        SECURITY => refused(Refusal::Credentials, format!("{text}; {}, {}", CAUSES, clocks(reply, now))),
        300_001 | 300_005 | 400_101 => {
            refused(Refusal::Credentials, format!("{text}; the access_token is not known (any more)"))
        }
        400_013 | 400_102 | 400_106 => {
            refused(Refusal::Target, format!("{text}; the robot was stopped or is no longer in the group"))
        }
        40_035 | 43_002 | 43_004 | 400_105 | 460_101 | 101_002 | 430_101..=430_104 => {
            refused(Refusal::Content, text)
        }
        _ if said.sounds_like_rate() => throttled(MUTE, text),
        _ => refused(Refusal::Content, text),
    }
}

const CAUSES: &str = "one of four: the keyword is missing, the secret is another one, our address is not on the \
                      robot's list, or the time is wrong";

/// Whether it refused the moment of the signature, and not the signature itself. The words for a wrong signature name
/// the timestamp too.
pub(super) fn is_about_the_time(reply: &Reply) -> bool {
    let Some(said) = said(reply).filter(|said| said.code == SECURITY && reply.status.is_success()) else {
        return false;
    };
    let words = said.words.to_lowercase();
    let any = |of: &[&str]| of.iter().any(|word| words.contains(word));
    any(&["timestamp", "expire", "时间戳", "过期"]) && !any(&["not match", "不匹配"])
}

/// The outcome of the second attempt, which says why there was one.
pub(super) fn after_signing_again(outcome: Outcome, clocks: &str) -> Outcome {
    let note = |text: &str| format!("{text}; signed again with the other side's time: {clocks}");
    match outcome {
        Outcome::Delivered(receipt) => Outcome::Delivered(Receipt { said: note(&receipt.said), ..receipt }),
        Outcome::Retry { after, trouble } => {
            Outcome::Retry { after, trouble: Trouble::new(trouble.reason, note(&trouble.text)) }
        }
        refused @ Outcome::Refused { .. } => refused,
    }
}

fn said(reply: &Reply) -> Option<Said> {
    Said::read(&reply.body, &["errcode"], &["errmsg"])
}
