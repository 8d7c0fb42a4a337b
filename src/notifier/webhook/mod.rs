//! Any receiver of JSON over HTTP: our own body, or that of Alertmanager's webhook, signed if wanted.
//!
//! The body is made once as text; those bytes are signed and sent. Whatever the receiver answers with 2xx counts as
//! received, its body is not looked at.

pub mod body;
pub mod settings;
pub mod sign;

pub mod alertmanager;

mod renewal;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use self::settings::{Format, Settings};
use self::sign::SigningKey;
use super::address::{self, Address};
use super::post::{Post, refused};
use super::{
    BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Refusal, Sender, Setting, Stamp,
};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::fields::Plain;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "webhook",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 10,
    build: Some(build),
};

/// One receiver.
#[derive(Debug)]
struct Webhook {
    address: Address,
    keys: Vec<SigningKey>,
    format: Format,
    headers: HeaderMap,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("a kind is given the settings that it read");
    let address = Address::load(order, &settings.url, Plain::Anywhere)?;
    let mut secrets = address.secrets();
    let (keys, headers) = (keys(order, settings, &mut secrets)?, headers(order, settings, &mut secrets)?);
    let post = Post::new(order.proxy, secrets)?;
    Ok(Sender::Messages(Arc::new(Webhook { address, keys, format: settings.format, headers, post })))
}

fn keys(
    order: &Order<'_>,
    settings: &Settings,
    secrets: &mut Vec<Secret>,
) -> Result<Vec<SigningKey>, BuildError> {
    let key = |setting| {
        let secret = address::load(order, setting)?;
        let key = SigningKey::parse(secret.expose());
        secrets.extend(secret.expose().strip_prefix("whsec_").map(Secret::new));
        secrets.push(secret);
        let problem = "must be `whsec_` followed by the base64 form of 24 to 64 bytes";
        key.ok_or_else(|| address::odd(setting, problem))
    };
    settings.secrets.iter().map(key).collect()
}

fn headers(
    order: &Order<'_>,
    settings: &Settings,
    secrets: &mut Vec<Secret>,
) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, setting) in &settings.headers {
        let secret = address::load(order, setting)?;
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(secret.expose());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(address::odd(setting, "cannot be the value of a header"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
        // `Bearer TOKEN`: the token alone is one as well.
        secrets.extend(secret.expose().rsplit_once(' ').map(|(_, token)| Secret::new(token)));
        secrets.push(secret);
    }
    Ok(headers)
}

impl Messenger for Webhook {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        let body = match self.format {
            Format::Notafter => body::body(message, setting),
            Format::Alertmanager => alertmanager::body(message, setting),
        };
        vec![Part { content: Value::String(body), name: message.type_name().to_owned() }]
    }

    fn plain(&self, _message: &Message, _setting: &Setting<'_>) -> Option<Part> {
        None
    }

    fn post<'a>(&'a self, part: &'a Part, stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send(part, stamp))
    }

    fn robot(&self) -> u64 {
        self.address.robot()
    }

    fn place(&self) -> &str {
        self.address.place()
    }
}

impl Webhook {
    async fn send(&self, part: &Part, stamp: Stamp<'_>) -> Outcome {
        let Some(body) = part.content.as_str() else {
            return refused(Refusal::Content, "the part is none of this channel");
        };
        let Some(headers) = self.signed(body, stamp) else {
            return refused(Refusal::Content, "the id of the event cannot be a header");
        };
        match self.post.json(self.address.expose(), headers, Bytes::copy_from_slice(body.as_bytes())).await {
            Err(outcome) => outcome,
            Ok(reply) => self.post.usual(&reply).unwrap_or_else(|| {
                Outcome::Delivered(Receipt {
                    notes: Vec::new(),
                    said: format!("HTTP {}", reply.status.as_u16()),
                })
            }),
        }
    }

    /// The operator's headers, and those of the signature where there is a secret.
    fn signed(&self, body: &str, stamp: Stamp<'_>) -> Option<HeaderMap> {
        let mut headers = self.headers.clone();
        if !self.keys.is_empty() {
            let timestamp = stamp.now.timestamp();
            let signature = sign::signature(&self.keys, stamp.id, timestamp, body.as_bytes());
            headers.insert("webhook-id", HeaderValue::from_str(stamp.id).ok()?);
            headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
            headers.insert("webhook-signature", HeaderValue::from_str(&signature).ok()?);
        }
        Some(headers)
    }
}
