//! DingTalk's end of a custom robot. Status 200 for everything; what is wrong stands inside.

use std::sync::Mutex;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::chat::{self, Dialect, Window};
use super::{Answer, Receiver, Request, Shown};
use crate::sim::wire::reply::locked;

/// Bytes of a whole body.
const LONGEST_BODY: usize = 20_000;
/// A signature holds for so long, in either direction.
const SIGNATURE_HOLDS: TimeDelta = TimeDelta::hours(1);
/// Who is too fast is mute for so long.
const MUTE: TimeDelta = TimeDelta::minutes(10);

/// A robot in a group.
pub struct Dingtalk {
    token: String,
    secret: Option<String>,
    keyword: Option<String>,
    pace: Mutex<Pace>,
}

struct Pace {
    window: Window,
    mute_until: Option<DateTime<Utc>>,
}

/// An error code and its words.
type Refused = (i64, &'static str);

impl Dingtalk {
    /// A robot that is called with this `access_token`.
    pub fn new(token: &str) -> Self {
        let pace = Pace { window: Window::new(20, TimeDelta::minutes(1)), mute_until: None };
        Self { token: token.to_owned(), secret: None, keyword: None, pace: Mutex::new(pace) }
    }

    /// It wants every call signed with this.
    #[must_use]
    pub fn signed(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }

    /// It wants this word in every message.
    #[must_use]
    pub fn with_keyword(self, keyword: &str) -> Self {
        Self { keyword: Some(keyword.to_owned()), ..self }
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        if request.method != "POST" {
            return Err((43_002, "require POST method"));
        }
        if !request.is_announced_as_json() {
            return Err((43_004, "require application/json"));
        }
        self.check_caller(request)?;
        if request.body.len() > LONGEST_BODY {
            return Err((460_101, "message too long, exceed 20000 bytes"));
        }
        let body = request.json().ok_or((40_035, "not a JSON document"))?;
        let texts = texts(&body)?;
        check_at(&body["at"])?;
        match &self.keyword {
            Some(keyword) if !texts.iter().any(|text| text.contains(keyword)) => {
                Err((310_000, "keywords not in content"))
            }
            _ => self.check_pace(request.at),
        }
    }

    fn check_caller(&self, request: &Request) -> Result<(), Refused> {
        let pairs = request.pairs();
        let only = |name: &str| {
            let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            found.next().filter(|_| found.next().is_none())
        };
        if only("access_token").ok_or((40_035, "access_token missing"))? != self.token {
            return Err((300_001, "token is not exist"));
        }
        let Some(secret) = &self.secret else { return Ok(()) };
        let timestamp = only("timestamp").ok_or((310_000, "invalid timestamp"))?;
        let moment = timestamp.parse().ok().and_then(DateTime::from_timestamp_millis);
        if moment.is_none_or(|moment| (request.at - moment).abs() > SIGNATURE_HOLDS) {
            return Err((310_000, "invalid timestamp"));
        }
        let right = signature(secret, timestamp);
        if only("sign") == Some(right.as_str()) { Ok(()) } else { Err((310_000, "sign not match")) }
    }

    fn check_pace(&self, at: DateTime<Utc>) -> Result<(), Refused> {
        const TOO_FAST: Refused = (130_101, "send too fast, exceed 20 times per minute");
        let mut pace = locked(&self.pace);
        if pace.mute_until.is_some_and(|until| at < until) {
            return Err(TOO_FAST);
        }
        if pace.window.admits(at) {
            return Ok(());
        }
        pace.mute_until = Some(at + MUTE);
        Err(TOO_FAST)
    }
}

fn signature(secret: &str, timestamp: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [timestamp, "\n", secret].concat();
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

/// Every text in which a keyword may stand.
fn texts(body: &Value) -> Result<Vec<&str>, Refused> {
    let text = |value: &'_ Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let found = match body["msgtype"].as_str() {
        Some("markdown") => vec![&body["markdown"]["title"], &body["markdown"]["text"]],
        Some("text") => vec![&body["text"]["content"]],
        _ => return Err((400_105, "unsupported msgtype")),
    };
    if found.iter().all(|value| text(value)) {
        return Ok(found.into_iter().filter_map(Value::as_str).collect());
    }
    Err((40_035, "a parameter is missing: title, text or content"))
}

fn check_at(at: &Value) -> Result<(), Refused> {
    let is_list = |value: &Value| {
        value.is_null() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
    };
    let is_switch = at["isAtAll"].is_null() || at["isAtAll"].is_boolean();
    let fine = is_list(&at["atMobiles"]) && is_list(&at["atUserIds"]) && is_switch;
    if fine { Ok(()) } else { Err((40_035, "at is not well-formed")) }
}

/// Who is called: those who are both listed and named in the text.
fn calls(at: &Value, text: &str) -> Vec<String> {
    let listed = ["atMobiles", "atUserIds"].into_iter().filter_map(|list| at[list].as_array()).flatten();
    let named = listed.filter_map(Value::as_str).filter(|who| text.contains(&format!("@{who}")));
    let all = (at["isAtAll"] == true).then_some("all");
    named.chain(all).map(str::to_owned).collect()
}

/// Paragraphs: a single newline is a blank, unless two blanks stand before it.
fn paragraphs(text: &str) -> String {
    text.replace("  \n", "\n\n")
        .split("\n\n")
        .map(|block| block.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n")
}

impl Receiver for Dingtalk {
    fn name(&self) -> &'static str {
        "dingtalk"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.path != "/robot/send" {
            return Answer::refused(404, "text/html", "<html>404</html>");
        }
        match self.check(request) {
            Ok(()) => Answer::ok(&json!({"errcode": 0, "errmsg": "ok"})),
            Err((code, words)) => Answer::error(200, &json!({"errcode": code, "errmsg": words})),
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let body = request.json()?;
        let mut shown = Shown::default();
        let text = if body["msgtype"] == "markdown" {
            body["markdown"]["title"].as_str()?.clone_into(&mut shown.title);
            let text = body["markdown"]["text"].as_str()?;
            let dialect = Dialect { code: true, underscores: false, entities: false };
            chat::read(&paragraphs(text), dialect).add_to(&mut shown);
            text
        } else {
            let text = body["text"]["content"].as_str()?;
            shown.lines = text.lines().map(str::to_owned).collect();
            text
        };
        shown.mentions.extend(calls(&body["at"], text));
        Some(shown)
    }
}
