//! DingTalk custom robots.
//!
//! `body` says what is posted, `sign` where to, `answer` what became of it.

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

use self::settings::Settings;
use super::address::{Address, load};
use super::answer::{clocks, their_time};
use super::post::{Post, Reply};
use super::robot::{Voice, all_secrets, own};
use super::{BuildError, Messenger, NotifierKind, Order, Outcome, Part, Sender, Setting, Stamp};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::fields::Plain;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "dingtalk",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 15.0,
    burst: 3,
    build: Some(build),
};

/// A robot in a group.
struct Dingtalk {
    address: Address,
    secret: Option<Secret>,
    voice: Voice,
    post: Post,
}

/// One attempt: the answer, and a client that does not repeat its signature.
struct Attempt {
    post: Post,
    reply: Reply,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &Settings = own(order);
    let address = Address::load(order, &settings.url, Plain::Loopback)?;
    let secret = settings.secret.as_ref().map(|setting| load(order, setting)).transpose()?;
    let post = Post::new(order.proxy, all_secrets(&address, secret.as_ref()))?;
    Ok(Sender::Messages(Arc::new(Dingtalk { address, secret, voice: settings.into(), post })))
}

impl Dingtalk {
    async fn say(&self, part: &Part, now: DateTime<Utc>) -> Outcome {
        let body = Bytes::from(part.content.to_string());
        let first = match self.attempt(&body, now).await {
            Ok(attempt) => attempt,
            Err(outcome) => return outcome,
        };
        if self.secret.is_none() || !answer::is_about_the_time(&first.reply) {
            return answer::read(&first.post, &first.reply, now);
        }
        let theirs = their_time(&first.reply).unwrap_or(first.reply.at);
        match self.attempt(&body, theirs).await {
            Ok(second) => answer::after_signing_again(
                answer::read(&second.post, &second.reply, now),
                &clocks(&first.reply, now),
            ),
            Err(outcome) => outcome,
        }
    }

    /// Posts once, signed for `time`; the address is made afresh each time.
    async fn attempt(&self, body: &Bytes, time: DateTime<Utc>) -> Result<Attempt, Outcome> {
        let (url, post) = match &self.secret {
            None => (self.address.expose().to_owned(), self.post.clone()),
            Some(secret) => {
                let signed = sign::signed(secret.expose(), time.timestamp_millis());
                let hidden = [Secret::new(&signed.encoded), Secret::new(&signed.base64)];
                (signed.added_to(self.address.expose()), self.post.hiding(hidden))
            }
        };
        let reply = post.json(&url, HeaderMap::new(), body.clone()).await?;
        Ok(Attempt { post, reply })
    }
}

impl Messenger for Dingtalk {
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

impl fmt::Debug for Dingtalk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dingtalk({})", self.address.place())
    }
}
