//! WeCom group robots.
//!
//! `body` says what is posted, `answer` what became of it. There is no signature: the key in the address is everything.

pub mod settings;

mod answer;
mod body;
mod markup;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use self::settings::Settings;
use super::address::Address;
use super::post::Post;
use super::robot::{Voice, own};
use super::{BuildError, Messenger, NotifierKind, Order, Outcome, Part, Sender, Setting, Stamp};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::fields::Plain;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "wecom",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 15.0,
    burst: 3,
    build: Some(build),
};

/// A robot in a group.
struct Wecom {
    address: Address,
    voice: Voice,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &Settings = own(order);
    let address = Address::load(order, &settings.url, Plain::Loopback)?;
    let post = Post::new(order.proxy, address.secrets())?;
    let voice = Voice { keyword: None, mention: settings.mention.clone() };
    Ok(Sender::Messages(Arc::new(Wecom { address, voice, post })))
}

impl Wecom {
    async fn say(&self, part: &Part) -> Outcome {
        let body = Bytes::from(part.content.to_string());
        match self.post.json(self.address.expose(), HeaderMap::new(), body).await {
            Ok(reply) => answer::read(&self.post, &reply),
            Err(outcome) => outcome,
        }
    }
}

impl Messenger for Wecom {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        body::parts(message, setting, &self.voice)
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        Some(body::plain(message, setting, &self.voice))
    }

    fn post<'a>(&'a self, part: &'a Part, _stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.say(part))
    }

    fn robot(&self) -> u64 {
        self.address.robot()
    }

    fn place(&self) -> &str {
        self.address.place()
    }
}

impl fmt::Debug for Wecom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wecom({})", self.address.place())
    }
}
