//! Microsoft Teams, by a Workflows webhook.
//!
//! Whatever the workflow answers, it only means that it has started; so what is posted stays well within what it can
//! show, and success is called "accepted".

pub mod card;
pub mod markup;
pub mod settings;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use self::settings::Settings;
use super::address::Address;
use super::post::{Post, Reply, refused, retry};
use super::{
    BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Refusal, Sender, Setting, Stamp,
};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::domain::reason::Reason;
use crate::fields::Plain;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "teams",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 60.0,
    burst: 3,
    build: Some(build),
};

/// One workflow.
#[derive(Debug)]
struct Teams {
    address: Address,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &dyn Any = order.settings;
    let settings = settings.downcast_ref::<Settings>().expect("a kind is given the settings that it read");
    let address = Address::load(order, &settings.url, Plain::Loopback)?;
    let post = Post::new(order.proxy, address.secrets())?;
    Ok(Sender::Messages(Arc::new(Teams { address, post })))
}

impl Messenger for Teams {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        let body = match setting.template {
            Some(_) => card::worded(message, setting),
            None => card::body(message, setting),
        };
        vec![Part { content: body, name: "card".to_owned() }]
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        let body = card::simple(message, &Setting { template: None, ..*setting });
        Some(Part { content: body, name: "plain".to_owned() })
    }

    fn post<'a>(&'a self, part: &'a Part, _stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            let body = Bytes::from(part.content.to_string());
            match self.post.json(self.address.expose(), HeaderMap::new(), body).await {
                Ok(reply) => self.answer(&reply),
                Err(outcome) => outcome,
            }
        })
    }

    fn robot(&self) -> u64 {
        self.address.robot()
    }

    fn place(&self) -> &str {
        self.address.place()
    }
}

impl Teams {
    /// 202 without a body, or 200 where the workflow has a step that answers. A page is neither.
    fn answer(&self, reply: &Reply) -> Outcome {
        match reply.status {
            StatusCode::OK | StatusCode::ACCEPTED if !is_page(reply) => {
                Outcome::Delivered(Receipt { notes: Vec::new(), said: "accepted".to_owned() })
            }
            status if status.is_success() => {
                let said = self.post.said(reply);
                retry(Reason::Unreadable, format!("the answer is none of a workflow: {said}"))
            }
            // The address carries its own signature: one that leads nowhere was revoked, or its flow deleted.
            StatusCode::NOT_FOUND => refused(Refusal::Credentials, self.post.said(reply)),
            _ => self.post.usual(reply).unwrap_or_else(|| refused(Refusal::Content, self.post.said(reply))),
        }
    }
}

/// No workflow says more than this.
const LONGEST_ANSWER: usize = 16 * 1024;

fn is_page(reply: &Reply) -> bool {
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_long = reply.body.len() > LONGEST_ANSWER;
    is_long || kind.starts_with("text/html") || reply.body.trim_ascii_start().starts_with(b"<")
}
