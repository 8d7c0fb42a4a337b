//! What the robots share: their keys, and what each adds to every message. How they sign and write differs, and stays
//! in their folders.

use std::any::Any;

use toml::Value;

use super::address::Address;
use super::foreign::Bare;
use super::script::{Budget, Unit};
use super::text::{self, Composed};
use super::{ChannelSettings, Order, Part, Setting, secret_url};
use crate::domain::alert::message::{Message, Severity};
use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting, no_check};
use crate::secret::Secret;

/// A robot that is called by a secret address.
#[derive(Debug)]
pub struct Robot {
    /// Its address.
    pub url: SecretSetting,
    /// Signs each message, where the robot asks for it.
    pub secret: Option<SecretSetting>,
    /// A word that every message must hold, where the robot asks for it.
    pub keyword: Option<String>,
    /// Whom critical messages call by name; `all` is everybody.
    pub mention: Vec<String>,
}

impl Robot {
    /// Reads it from a channel table.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
        let url = fields.require("url", "url = { file = \"PATH\" }").secret("url", secret_url);
        let secret = fields.secret("secret", no_check);
        let keyword = fields.string("keyword");
        let mention = fields.texts("mention", |text| Ok(text.to_owned())).unwrap_or_default();
        Some(Box::new(Self { url: url?, secret, keyword, mention }))
    }
}

impl ChannelSettings for Robot {
    fn secrets(&self) -> Vec<&SecretSetting> {
        std::iter::once(&self.url).chain(&self.secret).collect()
    }

    fn effective(&self) -> Entries {
        show::present([
            ("url", Some(show::secret(&self.url))),
            ("secret", self.secret.as_ref().map(show::secret)),
            ("keyword", self.keyword.as_deref().map(Value::from)),
            ("mention", (!self.mention.is_empty()).then(|| show::list(&self.mention))),
        ])
    }
}

/// No message takes more parts than this: what is left after them is said as a number.
pub(super) const MOST_PARTS: usize = 3;

/// What a robot adds to messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Voice {
    /// A word that every message must hold.
    pub(super) keyword: Option<String>,
    /// Whom critical messages call.
    pub(super) mention: Vec<String>,
}

impl Voice {
    /// Whom this message calls: nobody, unless it is critical or something has expired.
    pub(super) fn mention(&self, message: &Message) -> &[String] {
        if message.severity() == Severity::Critical { &self.mention } else { &[] }
    }

    /// The text, with the keyword behind it if it is not in it.
    pub(super) fn with_keyword(&self, mut text: String, between: &str) -> String {
        if let Some(keyword) = self.keyword.as_deref().filter(|keyword| !text.contains(keyword)) {
            text.push_str(between);
            text.push_str(keyword);
        }
        text
    }
}

impl From<&Robot> for Voice {
    fn from(robot: &Robot) -> Self {
        Self { keyword: robot.keyword.clone(), mention: robot.mention.clone() }
    }
}

/// The settings of a channel as its own type knows them.
pub(super) fn own<'a, T: Any>(order: &Order<'a>) -> &'a T {
    let settings: &dyn Any = order.settings;
    settings.downcast_ref().expect("a channel is built of the settings that its own type has read")
}

/// Everything that must not be seen of a robot, the longest first.
pub(super) fn all_secrets(address: &Address, secret: Option<&Secret>) -> Vec<Secret> {
    let mut all = address.secrets();
    all.extend(secret.cloned());
    all.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    all
}

/// Parts with their numbers.
pub(super) fn numbered(contents: Vec<serde_json::Value>) -> Vec<Part> {
    let all = contents.len();
    let part = |(index, content)| Part { content, name: format!("{}/{all}", index + 1) };
    contents.into_iter().enumerate().map(part).collect()
}

/// A message in our own words, without markup and links, in one text of at most `limit` bytes.
pub(super) fn bare(message: &Message, setting: &Setting<'_>, limit: usize) -> Composed {
    let own_words = Setting { template: None, ..*setting };
    let budget = Budget { limit, unit: Unit::JsonBytes, parts: 1 };
    let mut parts = text::parts(message, &own_words, &Bare, budget);
    parts.truncate(1);
    parts.pop().unwrap_or_else(|| Composed { title: String::new(), text: String::new() })
}
