//! The keys of a channel table that only Telegram has.

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fault, Fields, Item, SecretSetting, no_check};
use crate::notifier::{ChannelSettings, base_url};

/// Which bot writes into which chat.
#[derive(Debug)]
pub struct Settings {
    /// Token of the bot.
    pub token: SecretSetting,
    /// Number of the chat (groups are negative and may need more than 32 bits), or `@name` of a public channel.
    pub chat_id: String,
    /// Topic inside a group.
    pub thread_id: Option<i64>,
    /// In place of `https://api.telegram.org`.
    pub base_url: Option<String>,
}

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let token = fields.require("token", "token = { file = \"PATH\" }").secret("token", no_check);
    let chat_id = fields.require("chat_id", "chat_id = -1001234567890").item("chat_id").and_then(chat_id);
    let thread_id = fields.integer("thread_id", 1..=i64::MAX);
    let base_url = fields.parsed("base_url", base_url);
    Some(Box::new(Settings { token: token?, chat_id: chat_id?, thread_id, base_url }))
}

fn chat_id(item: Item<'_>) -> Option<String> {
    if item.as_text().is_none() {
        return item.integer(i64::MIN..=i64::MAX).map(|number| number.to_string());
    }
    item.parsed(|text| {
        if text.starts_with('@') || text.parse::<i64>().is_ok() {
            return Ok(text.to_owned());
        }
        Err(Fault::new("is neither a number nor a name", "-1001234567890 or \"@channel\""))
    })
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        vec![&self.token]
    }

    fn effective(&self) -> Entries {
        show::present([
            ("token", Some(show::secret(&self.token))),
            ("chat_id", Some(Value::from(self.chat_id.as_str()))),
            ("thread_id", self.thread_id.map(Value::from)),
            ("base_url", self.base_url.as_deref().map(Value::from)),
        ])
    }
}
