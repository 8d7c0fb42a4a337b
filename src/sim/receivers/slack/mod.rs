//! Slack, as strict as it is: an incoming webhook, or `chat.postMessage`.
//!
//! What is wrong with a message is said in a word. The Web API says it with status 200.

mod blocks;
mod mrkdwn;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Answer, Receiver, Request, Shown, TEXT};

/// Most attachments of a message.
const ATTACHMENTS: usize = 100;
/// Most characters of the text above the attachments.
const LONGEST_TEXT: usize = 40_000;

/// One channel of a workspace.
pub struct Slack {
    way: Way,
    posted: AtomicU64,
}

enum Way {
    Webhook { path: String },
    Api { token: String, channel: String },
}

impl Slack {
    /// An incoming webhook at `/services/T…/B…/…`.
    pub fn webhook(path: &str) -> Self {
        Self { way: Way::Webhook { path: path.to_owned() }, posted: AtomicU64::new(0) }
    }

    /// The Web API, for one bot that is in one channel.
    pub fn api(token: &str, channel: &str) -> Self {
        let way = Way::Api { token: token.to_owned(), channel: channel.to_owned() };
        Self { way, posted: AtomicU64::new(0) }
    }

    fn posted(&self, channel: &str) -> Answer {
        let number = self.posted.fetch_add(1, Ordering::Relaxed);
        Answer::ok(&json!({ "ok": true, "channel": channel, "ts": format!("1795305600.{number:06}") }))
    }
}

impl Receiver for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn judge(&self, request: &Request) -> Answer {
        match &self.way {
            Way::Webhook { path } if request.method == "POST" && request.path == *path => {
                match message(request) {
                    Ok(_) => Answer::accepted(200, TEXT, "ok"),
                    Err(word) => Answer::refused(400, TEXT, word),
                }
            }
            Way::Webhook { .. } => Answer::refused(404, TEXT, "no_service"),
            Way::Api { .. } if request.path != "/api/chat.postMessage" || request.method != "POST" => {
                failure("unknown_method")
            }
            Way::Api { token, channel } => match call(request, token, channel) {
                Ok(()) => self.posted(channel),
                Err(error) => failure(error),
            },
        }
    }

    fn shown(&self, request: &Request) -> Option<Shown> {
        let message = message(request).ok()?;
        let mut shown = Shown::default();
        shown.title = mrkdwn::read(message["text"].as_str()?, &reading(&message), &mut shown);
        let attachments = message["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
        for attachment in attachments {
            shown.colour = attachment["color"].as_str().map(str::to_owned);
            blocks::show(&attachment["blocks"], &mut shown);
        }
        Some(shown)
    }
}

fn failure(error: &str) -> Answer {
    Answer::error(200, &json!({ "ok": false, "error": error }))
}

fn call(request: &Request, token: &str, channel: &str) -> Result<(), &'static str> {
    match request.header("authorization").map(|value| value.strip_prefix("Bearer ")) {
        None => return Err("not_authed"),
        Some(given) if given != Some(token) => return Err("invalid_auth"),
        Some(_) => {}
    }
    let message = message(request)?;
    if message["channel"] != channel {
        return Err("channel_not_found");
    }
    let in_thread = message["thread_ts"].as_str();
    let is_ts = |ts: &str| ts.split_once('.').is_some_and(|(_, micros)| micros.len() == 6);
    match (in_thread, &message["reply_broadcast"]) {
        (None, Value::Null) => Ok(()),
        (Some(ts), Value::Null | Value::Bool(_)) if is_ts(ts) => Ok(()),
        (Some(_), _) => Err("invalid_thread_ts"),
        (None, _) => Err("invalid_arguments"),
    }
}

/// The message, if all of it is well-formed.
fn message(request: &Request) -> Result<Value, &'static str> {
    let message = request.json().filter(Value::is_object).ok_or("invalid_payload")?;
    if !request.is_announced_as_json() {
        return Err("invalid_payload");
    }
    let text = message["text"].as_str().filter(|text| !text.trim().is_empty()).ok_or("no_text")?;
    if text.chars().count() > LONGEST_TEXT {
        return Err("msg_too_long");
    }
    let none = Vec::new();
    let attachments = match &message["attachments"] {
        Value::Null => &none,
        Value::Array(attachments) => attachments,
        _ => return Err("invalid_attachments"),
    };
    if attachments.len() > ATTACHMENTS {
        return Err("too_many_attachments");
    }
    attachments.iter().try_for_each(attachment)?;
    Ok(message)
}

fn attachment(attachment: &Value) -> Result<(), &'static str> {
    let colour = attachment["color"].as_str().ok_or("invalid_attachments")?;
    let hex = colour.strip_prefix('#').filter(|hex| hex.len() == 6);
    let is_hex = hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_hex && !["good", "warning", "danger"].contains(&colour) {
        return Err("invalid_attachments");
    }
    let fallback = attachment["fallback"].as_str().unwrap_or_default();
    if fallback.trim().is_empty() {
        return Err("missing_text_or_fallback_or_attachments");
    }
    blocks::check(&attachment["blocks"])
}

/// How the text above the attachments is read.
fn reading(message: &Value) -> mrkdwn::Reading {
    mrkdwn::Reading { styles: message["mrkdwn"] != false, finds_links: message["parse"] != "none" }
}
