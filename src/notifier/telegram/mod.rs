//! Telegram bots.
//!
//! `body` says what is posted, `html` how it is written, `answer` what became of it. The token is part of the address.

pub mod settings;

mod answer;
mod body;
mod html;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;

use self::answer::Verdict;
use self::body::Chat;
use self::settings::Settings;
use super::address::{load, odd, place, robot};
use super::post::Post;
use super::robot::own;
use super::{BuildError, Messenger, NotifierKind, Order, Outcome, Part, Receipt, Sender, Setting, Stamp};
use crate::call::BoxFuture;
use crate::domain::alert::message::Message;
use crate::domain::finding::Stage;
use crate::secret::Secret;

/// Its entry in the list of channel types.
pub(super) const KIND: NotifierKind = NotifierKind {
    name: "telegram",
    settings: settings::read,
    least: Stage::Info,
    per_minute: 15.0,
    burst: 3,
    build: Some(build),
};

/// Where the vendor listens.
const VENDOR: &str = "https://api.telegram.org";

/// A bot that writes into a chat.
struct Telegram {
    channel: String,
    url: Secret,
    place: String,
    robot: u64,
    chat: Chat,
    post: Post,
}

fn build(order: &Order<'_>) -> Result<Sender, BuildError> {
    let settings: &Settings = own(order);
    let token = load(order, &settings.token)?;
    if !is_token(token.expose()) {
        return Err(odd(&settings.token, "a token is a number, a colon, and letters, digits, - and _"));
    }
    let base = settings.base_url.as_deref().unwrap_or(VENDOR);
    let url = Secret::new(format!("{base}/bot{}/sendMessage", token.expose()));
    let place = Url::parse(base).map_or_else(|_| base.to_owned(), |url| place(&url));
    let robot = robot(&[base, token.expose(), &settings.chat_id]);
    let own_part = token.expose().split_once(':').map(|(_, own)| Secret::new(own));
    let post = Post::new(order.proxy, [url.clone(), token].into_iter().chain(own_part).collect())?;
    let chat = Chat { id: settings.chat_id.clone(), thread: settings.thread_id };
    let channel = order.channel.to_owned();
    Ok(Sender::Messages(Arc::new(Telegram { channel, url, place, robot, chat, post })))
}

/// It stands in the path of an address, so nothing may be in it that means something there.
fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(number, own)| {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
            && !own.is_empty()
            && own.chars().all(plain)
    })
}

impl Telegram {
    /// Posts; and once more where the answer says how it would have been right.
    async fn say(&self, content: &Value) -> Outcome {
        match self.attempt(content).await {
            Ok(Verdict::Settled(outcome)) | Err(outcome) => outcome,
            Ok(Verdict::Moved { to }) => self.say_in(content, to).await,
            Ok(Verdict::BadMarkup) => match self.attempt(&body::without_markup(content)).await {
                Ok(verdict) => noted(verdict.settled(), "sent without markup, which was refused"),
                Err(outcome) => outcome,
            },
        }
    }

    /// The group became another one; what the setting names is no longer there.
    async fn say_in(&self, content: &Value, to: i64) -> Outcome {
        tracing::warn!(channel = self.channel, chat_id = to, "the chat has a new number, change `chat_id`");
        let mut content = content.clone();
        content["chat_id"] = to.into();
        match self.attempt(&content).await {
            Ok(verdict) => {
                let outcome =
                    noted(verdict.settled(), &format!("the chat has a new number: set chat_id = {to}"));
                self.chat.remembering(outcome, to)
            }
            Err(outcome) => outcome,
        }
    }

    async fn attempt(&self, content: &Value) -> Result<Verdict, Outcome> {
        let body = Bytes::from(content.to_string());
        let reply = self.post.json(self.url.expose(), HeaderMap::new(), body).await?;
        Ok(answer::read(&self.post, &reply))
    }
}

fn noted(outcome: Outcome, note: &str) -> Outcome {
    match outcome {
        Outcome::Delivered(receipt) => {
            Outcome::Delivered(Receipt { said: format!("{}; {note}", receipt.said), ..receipt })
        }
        other => other,
    }
}

impl Messenger for Telegram {
    fn parts(&self, message: &Message, setting: &Setting<'_>) -> Vec<Part> {
        body::parts(message, setting, &self.chat)
    }

    fn plain(&self, message: &Message, setting: &Setting<'_>) -> Option<Part> {
        Some(body::plain(message, setting, &self.chat))
    }

    fn post<'a>(&'a self, part: &'a Part, _stamp: Stamp<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.say(&part.content))
    }

    fn robot(&self) -> u64 {
        self.robot
    }

    fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Telegram({})", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_in_a_path_is_a_token() {
        for (text, want) in [
            ("123456:ABC-DEF_ghi", true),
            ("123456", false),
            ("123456:", false),
            (":ABC", false),
            ("12a:ABC", false),
            ("123:A/../B", false),
            ("123:A?b", false),
        ] {
            assert_eq!(is_token(text), want, "{text}");
        }
    }
}
