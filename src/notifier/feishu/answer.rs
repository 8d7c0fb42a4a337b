//! What Feishu's answers mean. An error may stand inside of status 200, and of status 400 as well.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::notifier::answer::{Said, busy, clocks, delivered, throttled, unreadable};
use crate::notifier::post::{Post, Reply, refused, retry_after};
use crate::notifier::{Outcome, Refusal};

/// So long a bot that was too fast is left alone.
const PAUSE: Duration = Duration::from_mins(1);
/// How long the gateway wants to be left alone, in seconds.
const RESET: &str = "x-ogw-ratelimit-reset";
/// No hint is believed beyond these.
const RESET_LIMITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(1)];

/// What became of a message.
pub(super) fn read(post: &Post, reply: &Reply, now: DateTime<Utc>) -> Outcome {
    let said = Said::read(&reply.body, &["code", "StatusCode"], &["msg", "StatusMessage"]);
    match (reply.status.as_u16(), said) {
        (200..=299, None) => unreadable(post, reply),
        (200..=299 | 400, Some(said)) if reply.status.is_success() || said.code != 0 => {
            judged(post, reply, &said, now)
        }
        (429, said) => {
            let text = said.map_or_else(|| post.said(reply), |said| worded(post, &said));
            throttled(reset(reply).or_else(|| retry_after(&reply.headers, reply.at)).unwrap_or(PAUSE), text)
        }
        _ => post.usual(reply).unwrap_or_else(|| unreadable(post, reply)),
    }
}

fn judged(post: &Post, reply: &Reply, said: &Said, now: DateTime<Utc>) -> Outcome {
    let text = worded(post, said);
    match said.code {
        0 => delivered(text),
        11_232 => throttled(PAUSE, text),
        99_991_400 => throttled(reset(reply).unwrap_or(PAUSE), text),
        2200 => busy(None, text),
        19_021 => {
            let clocks = clocks(reply, now);
            refused(
                Refusal::Credentials,
                format!("{text}; the secret is another one, or the time is wrong: {clocks}"),
            )
        }
        19_001 => {
            refused(Refusal::Credentials, format!("{text}; the address is not that of a bot (any more)"))
        }
        19_022 => refused(Refusal::Credentials, format!("{text}; our address is not on the bot's list")),
        19_024 => {
            refused(Refusal::Credentials, format!("{text}; the bot's keyword is missing: set `keyword`"))
        }
        19_002 | 9499 | 11_310 | 19_036 => refused(Refusal::Content, text),
        _ if said.sounds_like_rate() => throttled(PAUSE, text),
        _ => refused(Refusal::Content, text),
    }
}

fn worded(post: &Post, said: &Said) -> String {
    format!("code {}: {}", said.code, said.shown(post))
}

fn reset(reply: &Reply) -> Option<Duration> {
    let seconds: f64 = reply.headers.get(RESET)?.to_str().ok()?.trim().parse().ok()?;
    let [least, most] = RESET_LIMITS;
    Some(Duration::try_from_secs_f64(seconds).ok()?.clamp(least, most))
}
