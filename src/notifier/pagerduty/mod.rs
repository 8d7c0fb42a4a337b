//! PagerDuty, Events API v2: an incident for each certificate, opened, called again and closed by its key.
//!
//! `plan` says which incidents, `key` by which name, `event` what is told of them. One part is one event.

pub mod event;
pub mod groups;
pub mod key;
pub mod plan;
pub mod settings;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use self::settings::Settings;
use super::address;
use super::post::{Post, Reply, refused, retry, retry_after};
use super::{
    BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Refusal, Sender, Setting, Stamp,
    Trouble,
};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::domain::reason::Reason;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "pagerduty",
    settings: settings::read,
    least: Stage::Critical,
    per_minute: 120.0,
    burst: 20,
    build: Some(build),
};

/// Where events go, unless the account is a European one.
const BASE: &str = "https://events.pagerduty.com";
/// Too many events need minutes to pass, not seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// One service.
#[derive(Debug)]
struct PagerDuty {
    url: String,
    place: String,
    routing_key: Secret,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("a kind is given the settings that it read");
    let routing_key = address::load(order, &settings.routing_key)?;
    if let Err(fault) = settings::routing_key(routing_key.expose()) {
        return Err(address::odd(&settings.routing_key, fault.message));
    }
    let base = settings.base_url.as_deref().unwrap_or(BASE);
    let place = Url::parse(base).map_err(|error| BuildError::Client(error.to_string()))?;
    let post = Post::new(order.proxy, vec![routing_key.clone()])?;
    let (url, place) = (format!("{base}/v2/enqueue"), address::place(&place));
    Ok(Sender::Messages(Arc::new(PagerDuty { url, place, routing_key, post })))
}

impl Messenger for PagerDuty {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        event::parts(message, setting)
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        event::plain(message, setting)
    }

    fn post<'a>(&'a self, part: &'a Part, _stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send(part))
    }

    /// Each event is an incident of its own. What the last one leaves behind is about all of them.
    fn without(&self, part: &Part) -> Option<Vec<(String, String)>> {
        Some(notes(part, "notes"))
    }

    fn simpler(&self, part: &Part) -> Option<Part> {
        event::simpler(part)
    }

    fn beforehand(&self, part: &Part) -> Vec<(String, String)> {
        notes(part, "begins")
    }

    fn robot(&self) -> u64 {
        address::robot(&[&self.url, self.routing_key.expose()])
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl PagerDuty {
    async fn send(&self, part: &Part) -> Outcome {
        let mut event = part.content["event"].clone();
        if event.is_null() {
            return delivered(part, "nothing to call anybody for");
        }
        event["routing_key"] = json!(self.routing_key.expose());
        match self.post.json(&self.url, HeaderMap::new(), Bytes::from(event.to_string())).await {
            Ok(reply) => self.answer(&reply, part),
            Err(outcome) => outcome,
        }
    }

    /// 202 and `success`, which means that it was taken and will be looked at; or 400 and what is wrong.
    fn answer(&self, reply: &Reply, part: &Part) -> Outcome {
        let said = || self.post.said(reply);
        let answer: Option<Answer> = serde_json::from_slice(&reply.body).ok();
        match (reply.status, answer) {
            (StatusCode::ACCEPTED, Some(answer)) if answer.status == "success" => delivered(part, "accepted"),
            (status, Some(answer)) if status.is_success() && answer.status != "success" => {
                refused(Refusal::Content, said())
            }
            (status, _) if status.is_success() => {
                retry(Reason::Unreadable, format!("the answer is none of PagerDuty's: {}", said()))
            }
            (StatusCode::BAD_REQUEST, Some(answer)) if answer.names_the_key() => {
                refused(Refusal::Credentials, said())
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => Outcome::Retry {
                after: Some(retry_after(&reply.headers, reply.at).unwrap_or(PATIENCE)),
                trouble: Trouble::new(Reason::Throttled, said()),
            },
            _ => self.post.usual(reply).unwrap_or_else(|| refused(Refusal::Content, said())),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<String>,
}

impl Answer {
    /// A key that is wrong or unknown is answered like any other mistake.
    fn names_the_key(&self) -> bool {
        self.errors.iter().chain([&self.message]).any(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("routing_key") || text.contains("routing key")
        })
    }
}

fn delivered(part: &Part, said: &str) -> Outcome {
    Outcome::Delivered(Receipt { notes: notes(part, "notes"), said: said.to_owned() })
}

/// What a part leaves behind, or begins.
fn notes(part: &Part, key: &str) -> Vec<(String, String)> {
    let notes = part.content[key].as_array().map(Vec::as_slice).unwrap_or_default();
    notes.iter().filter_map(|note| Some((text(&note[0])?, text(&note[1])?))).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
