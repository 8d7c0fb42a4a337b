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

use self::markup::Markdown;
use self::settings::Settings;
use super::address::Address;
use super::post::{Post, Reply, refused, retry};
use super::script::{Budget, Unit};
use super::{
    BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Refusal, Sender, Setting, Stamp, text,
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

/// The operator's own words.
const WORDED: Budget = Budget { limit: card::TEXT, unit: Unit::JsonBytes, parts: 1 };
/// Short text.
const SIMPLE: Budget = Budget { limit: 3000, unit: Unit::JsonBytes, parts: 1 };

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
        if setting.template.is_some() {
            return worded(message, setting, WORDED);
        }
        let body = card::body(&text::script(message, setting), setting.external_url);
        vec![Part { content: body, name: "card".to_owned() }]
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        worded(message, &Setting { template: None, ..*setting }, SIMPLE).into_iter().next()
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

fn worded(message: &Message, setting: &Setting<'_>, budget: Budget) -> Vec<Part> {
    let part = |part: &text::Composed| Part {
        content: card::worded(&part.title, &part.text, message.tone()),
        name: "text".to_owned(),
    };
    text::parts(message, setting, &Markdown, budget).iter().map(part).collect()
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

fn is_page(reply: &Reply) -> bool {
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/html") || reply.body.trim_ascii_start().starts_with(b"<")
}
