//! The keys of a channel table that only WeCom has.

use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting};
use crate::notifier::{ChannelSettings, secret_url};

/// Where to post, and whom to call by name.
#[derive(Debug)]
pub struct Settings {
    /// The robot's address; the key in it is everything.
    pub url: SecretSetting,
    /// Whom critical messages call by name; `@all` is everybody.
    pub mention: Vec<String>,
}

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let url = fields.require("url", "url = { file = \"PATH\" }").secret("url", secret_url);
    let mention = fields.texts("mention", |text| Ok(text.to_owned())).unwrap_or_default();
    Some(Box::new(Settings { url: url?, mention }))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        vec![&self.url]
    }

    fn effective(&self) -> Entries {
        show::present([
            ("url", Some(show::secret(&self.url))),
            ("mention", (!self.mention.is_empty()).then(|| show::list(&self.mention))),
        ])
    }
}
