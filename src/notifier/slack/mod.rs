//! Slack: incoming webhooks, and the Web API, which can answer in threads.
//!
//! `body` makes blocks of a script, `thread` finds where they belong, `answer` reads what Slack says to them. The
//! parts carry the body as it is sent, and for the Web API the certificates whose thread it begins.

pub mod settings;

pub mod answer;
pub mod body;
pub mod markup;
pub mod thread;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use self::settings::Settings;
use super::address::{self, Address};
use super::post::{Post, Reply};
use super::{BuildError, Messenger, NotifierKind, Order, Outcome, Part, Sender, Setting, Stamp};
use crate::call::BoxFuture;
use crate::domain::alert::message::{Message, Severity};
use crate::domain::finding::Stage;
use crate::fields::{Plain, SecretSetting};
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "slack",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 3,
    build: Some(build),
};

/// Where the Web API is.
const API: &str = "https://slack.com";

/// One channel of a workspace.
#[derive(Debug)]
struct Slack {
    way: Way,
    post: Post,
}

/// How it is reached.
#[derive(Debug)]
enum Way {
    Webhook(Address),
    Api(Api),
}

#[derive(Debug)]
struct Api {
    url: String,
    place: String,
    token: Secret,
    authorization: HeaderValue,
    channel: String,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("a kind is given the settings that it read");
    let (way, secrets) = match settings {
        Settings::Webhook { url } => {
            let address = Address::load(order, url, Plain::Loopback)?;
            let secrets = address.secrets();
            (Way::Webhook(address), secrets)
        }
        Settings::Api { token, channel_id, base_url } => {
            let api = Api::new(order, token, channel_id, base_url.as_deref().unwrap_or(API))?;
            let secrets = vec![api.token.clone()];
            (Way::Api(api), secrets)
        }
    };
    Ok(Sender::Messages(Arc::new(Slack { way, post: Post::new(order.proxy, secrets)? })))
}

impl Api {
    fn new(order: &Order<'_>, token: &SecretSetting, channel: &str, base: &str) -> Result<Self, BuildError> {
        let secret = address::load(order, token)?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", secret.expose()))
            .map_err(|_| address::odd(token, "cannot be a token"))?;
        authorization.set_sensitive(true);
        let place = Url::parse(base).map(|url| address::place(&url));
        Ok(Self {
            url: format!("{base}/api/chat.postMessage"),
            place: place.map_err(|error| BuildError::Client(error.to_string()))?,
            token: secret,
            authorization,
            channel: channel.to_owned(),
        })
    }
}

impl Messenger for Slack {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        let bodies = match setting.template {
            Some(_) => body::worded(message, setting),
            None => vec![body::body(message, setting)],
        };
        let count = bodies.len();
        let part = |(index, body)| Part {
            content: self.content(body, message, setting),
            name: format!("{}/{count}", index + 1),
        };
        bodies.into_iter().enumerate().map(part).collect()
    }

    /// Without blocks, without a template, and not in a thread: whatever of it was refused.
    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        let own = Setting { template: None, notes: &|_| None, ..*setting };
        let body = body::simple(message, &own);
        Some(Part { content: self.content(body, message, &own), name: "plain".to_owned() })
    }

    fn post<'a>(&'a self, part: &'a Part, _stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send(part))
    }

    fn robot(&self) -> u64 {
        match &self.way {
            Way::Webhook(address) => address.robot(),
            Way::Api(api) => address::robot(&[api.token.expose(), &api.channel]),
        }
    }

    fn place(&self) -> &str {
        match &self.way {
            Way::Webhook(address) => address.place(),
            Way::Api(api) => &api.place,
        }
    }
}

impl Slack {
    /// `{"body": …, "begins": [fingerprints]}`
    fn content(&self, mut body: Value, message: &Message, setting: &Setting<'_>) -> Value {
        let Way::Api(api) = &self.way else { return json!({ "body": body, "begins": [] }) };
        body["channel"] = json!(api.channel);
        let Some(thread) = thread::of(message, &api.channel, setting) else {
            return json!({ "body": body, "begins": thread::begun(message) });
        };
        body["thread_ts"] = json!(thread);
        if message.severity() == Severity::Critical {
            body["reply_broadcast"] = json!(true);
        }
        json!({ "body": body, "begins": [] })
    }

    async fn send(&self, part: &Part) -> Outcome {
        let body = Bytes::from(part.content["body"].to_string());
        let (url, headers) = match &self.way {
            Way::Webhook(address) => (address.expose(), HeaderMap::new()),
            Way::Api(api) => {
                (api.url.as_str(), HeaderMap::from_iter([(AUTHORIZATION, api.authorization.clone())]))
            }
        };
        match self.post.json(url, headers, body).await {
            Ok(reply) => self.answer(&reply, part),
            Err(outcome) => outcome,
        }
    }

    fn answer(&self, reply: &Reply, part: &Part) -> Outcome {
        let Way::Api(api) = &self.way else { return answer::of_webhook(&self.post, reply) };
        let begun = part.content["begins"].as_array().map(Vec::as_slice).unwrap_or_default();
        answer::of_api(&self.post, reply, |ts| {
            thread::notes(begun.iter().filter_map(Value::as_str), &api.channel, ts)
        })
    }
}
