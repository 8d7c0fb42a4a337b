//! Feishu and Lark custom bots; which of the two it is, the address says.
//!
//! `body` says what is posted, `sign` what is added to it at the last moment, `answer` what became of it.

pub mod settings;
pub mod sign;

mod answer;
mod body;
mod markup;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::Value;

use self::settings::Settings;
use super::address::{Address, load};
use super::post::Post;
use super::robot::{Voice, all_secrets, own};
use super::{BuildError, Messenger, NotifierKind, Order, Outcome, Part, Sender, Setting, Stamp};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::fields::Plain;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "feishu",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 2,
    build: Some(build),
};

/// A bot in a group.
struct Feishu {
    address: Address,
    secret: Option<Secret>,
    voice: Voice,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &Settings = own(order);
    let address = Address::load(order, &settings.url, Plain::Loopback)?;
    let secret = settings.secret.as_ref().map(|setting| load(order, setting)).transpose()?;
    let post = Post::new(order.proxy, all_secrets(&address, secret.as_ref()))?;
    Ok(Sender::Messages(Arc::new(Feishu { address, secret, voice: settings.into(), post })))
}

impl Feishu {
    async fn say(&self, part: &Part, now: DateTime<Utc>) -> Outcome {
        let (body, post) = self.signed(&part.content, now);
        match post.json(self.address.expose(), HeaderMap::new(), body).await {
            Ok(reply) => answer::read(&post, &reply, now),
            Err(outcome) => outcome,
        }
    }

    /// The body as it is sent, and a client that does not repeat its signature.
    fn signed(&self, content: &Value, now: DateTime<Utc>) -> (Bytes, Post) {
        let Some(secret) = &self.secret else { return (content.to_string().into(), self.post.clone()) };
        let timestamp = now.timestamp();
        let sign = sign::sign(secret.expose(), timestamp);
        let mut body = content.clone();
        body["timestamp"] = timestamp.to_string().into();
        body["sign"] = sign.as_str().into();
        (body.to_string().into(), self.post.hiding([Secret::new(sign)]))
    }
}

impl Messenger for Feishu {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        body::parts(message, setting, &self.voice)
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        Some(body::plain(message, setting, &self.voice))
    }

    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.say(part, stamp.now))
    }

    fn robot(&self) -> u64 {
        self.address.robot()
    }

    fn place(&self) -> &str {
        self.address.place()
    }
}

impl fmt::Debug for Feishu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feishu({})", self.address.place())
    }
}
