//! Answers that say 200 and hold an error: what the robots of DingTalk, Feishu and WeCom have in common there.
//!
//! The codes themselves stand in the folders of the channels.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::DATE;
use serde_json::Value;

use super::post::{Post, Reply};
use super::{Outcome, Receipt, Trouble};
use crate::domain::reason::Reason;
use crate::visible::shortened;

/// What the other side says may be so long beside our own words.
const LONGEST_WORDS: usize = 100;
/// Clocks that differ by less are not worth a word.
const CLOCKS_AGREE: TimeDelta = TimeDelta::minutes(5);
/// Words that mean "too fast", whatever the code.
const RATE_WORDS: [&str; 4] = ["too fast", "exceed", "limit", "限流"];

/// A code and what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The other side's own number; 0 is success.
    pub(super) code: i64,
    /// Its own words.
    pub(super) words: String,
}

impl Said {
    /// Reads code and words from the first of these members that are there; `None`: the answer is none of this vendor.
    pub(super) fn read(body: &[u8], codes: &[&str], words: &[&str]) -> Option<Self> {
        let json: Value = serde_json::from_slice(body).ok()?;
        let code = codes.iter().find_map(|name| number(json.get(name)?))?;
        let words = words.iter().find_map(|name| json.get(name)?.as_str()).unwrap_or_default();
        Some(Self { code, words: words.to_owned() })
    }

    /// Whether the words mean that there were too many messages.
    pub(super) fn sounds_like_rate(&self) -> bool {
        let words = self.words.to_lowercase();
        RATE_WORDS.iter().any(|word| words.contains(word))
    }

    /// The words, short and without secrets.
    pub(super) fn shown(&self, post: &Post) -> String {
        shortened(&post.clean(&self.words), LONGEST_WORDS).into_owned()
    }
}

/// A number, also where it was written as text.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Status 2xx, but not from whom it should come: a page of a proxy, or nothing. Nobody knows whether it arrived.
pub(super) fn unreadable(post: &Post, reply: &Reply) -> Outcome {
    let text = format!("the answer is not one of this vendor: {}", post.said(reply));
    Outcome::Retry { after: None, trouble: Trouble::new(Reason::Unreadable, text) }
}

/// It is there.
pub(super) fn delivered(said: impl Into<String>) -> Outcome {
    Outcome::Delivered(Receipt { notes: Vec::new(), said: said.into() })
}

/// Too many messages: not before that time.
pub(super) fn throttled(after: Duration, text: impl AsRef<str>) -> Outcome {
    Outcome::Retry { after: Some(after), trouble: Trouble::new(Reason::Throttled, text) }
}

/// Trouble of the other side's own.
pub(super) fn busy(after: Option<Duration>, text: impl AsRef<str>) -> Outcome {
    Outcome::Retry { after, trouble: Trouble::new(Reason::Unreachable, text) }
}

/// The moment at which the other side says it answered.
pub(super) fn their_time(reply: &Reply) -> Option<DateTime<Utc>> {
    let text = reply.headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

/// Says so if our clock differs from theirs, or shows ours where theirs is not known.
pub(super) fn clocks(reply: &Reply, ours: DateTime<Utc>) -> String {
    let shown = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    match their_time(reply) {
        Some(theirs) if (ours - theirs).abs() < CLOCKS_AGREE => "our clock agrees with theirs".to_owned(),
        Some(theirs) => format!("our clock says {}, theirs {}", shown(ours), shown(theirs)),
        None => format!("our clock says {}", shown(ours)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_or_the_answer_is_none() {
        let said = |code, words: &str| Some(Said { code, words: words.to_owned() });
        for (name, body, want) in [
            ("a number", r#"{"errcode":0,"errmsg":"ok"}"#, said(0, "ok")),
            ("a text", r#"{"errcode":"310000","errmsg":"x"}"#, said(310_000, "x")),
            ("no words", r#"{"errcode":-1}"#, said(-1, "")),
            ("another name", r#"{"StatusCode":0,"StatusMessage":"success"}"#, said(0, "success")),
            ("the first name wins", r#"{"StatusCode":0,"errcode":7}"#, said(7, "")),
            ("no code", r#"{"ok":true}"#, None),
            ("a list", "[0]", None),
            ("a fraction", r#"{"errcode":0.5}"#, None),
            ("null", r#"{"errcode":null}"#, None),
            ("nothing", "", None),
            ("a page", "<html>ok</html>", None),
        ] {
            let found = Said::read(body.as_bytes(), &["errcode", "StatusCode"], &["errmsg", "StatusMessage"]);
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn words_about_the_rate_are_known_in_any_case() {
        for (words, want) in [
            ("send too fast, exceed 20 times per minute", true),
            ("Too Fast", true),
            ("api freq out of limit", true),
            ("请求被限流", true),
            ("keywords not in content", false),
        ] {
            assert_eq!(Said { code: 1, words: words.to_owned() }.sounds_like_rate(), want, "{words}");
        }
    }
}
