//! Feishu's end of a custom bot. Mostly status 200, and 400 for bodies that are none.

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
const LONGEST_BODY: usize = 20 * 1024;
/// A signature holds for so long, in either direction.
const SIGNATURE_HOLDS: TimeDelta = TimeDelta::hours(1);
/// Colours of a card's header.
const TEMPLATES: [&str; 13] = [
    "blue",
    "wathet",
    "turquoise",
    "green",
    "yellow",
    "orange",
    "red",
    "carmine",
    "violet",
    "purple",
    "indigo",
    "grey",
    "default",
];

/// A bot in a group.
pub struct Feishu {
    hook: String,
    secret: Option<String>,
    keyword: Option<String>,
    pace: Mutex<[Window; 2]>,
}

/// Status, code and words.
type Refused = (u16, i64, &'static str);

impl Feishu {
    /// A bot whose address ends with this.
    pub fn new(hook: &str) -> Self {
        let pace = [Window::new(5, TimeDelta::seconds(1)), Window::new(100, TimeDelta::minutes(1))];
        Self { hook: hook.to_owned(), secret: None, keyword: None, pace: Mutex::new(pace) }
    }

    /// It wants every message signed with this.
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
        if request.path.strip_prefix("/open-apis/bot/v2/hook/") != Some(&self.hook) {
            return Err((200, 19_001, "param invalid: incoming webhook access token invalid"));
        }
        let body = request.json().filter(|body| body.is_object() && request.is_announced_as_json());
        let body = body.ok_or((400, 9499, "Bad Request"))?;
        if request.body.len() > LONGEST_BODY {
            return Err((200, 19_036, "request body too large"));
        }
        self.check_signature(request, &body)?;
        let texts = texts(&body)?;
        if self.keyword.as_ref().is_some_and(|keyword| !texts.iter().any(|text| text.contains(keyword))) {
            return Err((200, 19_024, "Key Words Not Found"));
        }
        let mut pace = locked(&self.pace);
        let admitted = pace.iter_mut().all(|window| window.admits(request.at));
        if admitted {
            Ok(())
        } else {
            Err((200, 11_232, "frequency limited psm[lark.oapi.app_platform_runtime]"))
        }
    }

    fn check_signature(&self, request: &Request, body: &Value) -> Result<(), Refused> {
        const WRONG: Refused =
            (200, 19_021, "sign match fail or timestamp is not within one hour from current time");
        let Some(secret) = &self.secret else { return Ok(()) };
        let timestamp = body["timestamp"].as_str().ok_or(WRONG)?;
        let moment = timestamp.parse().ok().and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
        let moment = moment.ok_or(WRONG)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, [timestamp, "\n", secret].concat().as_bytes());
        let right = STANDARD.encode(hmac::sign(&key, &[]));
        let fine = (request.at - moment).abs() <= SIGNATURE_HOLDS && body["sign"] == right;
        if fine { Ok(()) } else { Err(WRONG) }
    }
}

/// Every text in which a keyword may stand.
fn texts(body: &Value) -> Result<Vec<&str>, Refused> {
    match body["msg_type"].as_str() {
        Some("text") => match body["content"]["text"].as_str() {
            Some(text) if !text.trim().is_empty() => Ok(vec![text]),
            _ => Err((200, 19_002, "params error, text is empty")),
        },
        Some("interactive") => card_texts(&body["card"]),
        _ => Err((200, 19_002, "params error, msg_type need")),
    }
}

/// A card of the first schema.
fn card_texts(card: &Value) -> Result<Vec<&str>, Refused> {
    const WRONG: Refused = (200, 19_002, "params error, parse card json err");
    let title = &card["header"]["title"];
    let template = card["header"]["template"].as_str().ok_or(WRONG)?;
    let elements = card["elements"].as_array().filter(|elements| !elements.is_empty()).ok_or(WRONG)?;
    if !card["schema"].is_null() || title["tag"] != "plain_text" || !TEMPLATES.contains(&template) {
        return Err(WRONG);
    }
    let title = title["content"].as_str().ok_or(WRONG)?;
    let elements = elements.iter().map(|element| element_text(element).ok_or(WRONG));
    std::iter::once(Ok(title)).chain(elements).collect()
}

fn element_text(element: &Value) -> Option<&str> {
    let text = match element["tag"].as_str()? {
        "hr" => return Some(""),
        "markdown" => element["content"].as_str()?,
        "div" => element["text"]["content"].as_str()?,
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

impl Receiver for Feishu {
    fn name(&self) -> &'static str {
        "feishu"
    }

    fn judge(&self, request: &Request) -> Answer {
        if request.method != "POST" {
            return Answer::refused(405, "text/plain", "");
        }
        match self.check(request) {
            Ok(()) => Answer::ok(&json!({
                "StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success",
            })),
            Err((status, code, words)) => {
                Answer::error(status, &json!({"code": code, "data": {}, "msg": words}))
            }
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let body = request.json()?;
        let mut shown = Shown::default();
        if body["msg_type"] == "text" {
            let dialect = Dialect { code: false, underscores: false, entities: false };
            chat::read(body["content"]["text"].as_str()?, dialect).add_to(&mut shown);
            return Some(shown);
        }
        let header = &body["card"]["header"];
        header["title"]["content"].as_str()?.clone_into(&mut shown.title);
        shown.colour = header["template"].as_str().map(str::to_owned);
        let dialect = Dialect { code: true, underscores: true, entities: true };
        for text in body["card"]["elements"].as_array()?.iter().filter_map(element_text) {
            chat::read(text, dialect).add_to(&mut shown);
        }
        Some(shown)
    }
}
