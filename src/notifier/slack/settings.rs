//! The keys of a channel table that only Slack has.

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting, no_check};
use crate::notifier::{ChannelSettings, base_url, secret_url};

/// The two ways into Slack.
#[derive(Debug)]
pub enum Settings {
    /// An incoming webhook.
    Webhook {
        /// Its address.
        url: SecretSetting,
    },
    /// `chat.postMessage`, which can answer in threads.
    Api {
        /// Token of a bot.
        token: SecretSetting,
        /// Id of the channel, not its name.
        channel_id: String,
        /// In place of `https://slack.com`.
        base_url: Option<String>,
    },
}

const WAYS: &str = "url = { file = \"PATH\" }, or token = { file = \"PATH\" } and channel_id = \"C…\"";

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let api = fields.has("token") || fields.has("channel_id");
    if api {
        fields.require("token", WAYS).require("channel_id", WAYS);
    } else {
        fields.require("url", WAYS);
    }
    if api && fields.has("url") {
        fields.problem("url", "cannot stand beside `token` and `channel_id`", WAYS);
    }
    let url = fields.secret("url", secret_url);
    let token = fields.secret("token", no_check);
    let channel_id = fields.string("channel_id");
    let base_url = fields.parsed("base_url", base_url);
    if !api && fields.has("base_url") {
        fields.problem("base_url", "is for `token` and `channel_id`", "take it away: `url` says it all");
    }
    let settings = if api {
        Settings::Api { token: token?, channel_id: channel_id?, base_url }
    } else {
        Settings::Webhook { url: url? }
    };
    Some(Box::new(settings))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        match self {
            Self::Webhook { url } => vec![url],
            Self::Api { token, .. } => vec![token],
        }
    }

    fn effective(&self) -> Entries {
        match self {
            Self::Webhook { url } => vec![("url", show::secret(url))],
            Self::Api { token, channel_id, base_url } => show::present([
                ("token", Some(show::secret(token))),
                ("channel_id", Some(Value::from(channel_id.as_str()))),
                ("base_url", base_url.as_deref().map(Value::from)),
            ]),
        }
    }
}
