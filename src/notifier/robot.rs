//! The keys that the robots of DingTalk and Feishu share. How they sign differs, and stays in their folders.

use toml::Value;

use super::{ChannelSettings, secret_url};
use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting, no_check};

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
