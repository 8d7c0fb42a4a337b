//! The keys of a channel table that only Teams has.

use crate::fields::show::{self, Entries};
use crate::fields::{Fields, SecretSetting};
use crate::notifier::{ChannelSettings, secret_url};

/// Where to post.
#[derive(Debug)]
pub struct Settings {
    /// Address of the workflow, signature included; kept byte for byte. Its host has moved before, so none is
    /// expected.
    pub url: SecretSetting,
}

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let url = fields.require("url", "url = { file = \"PATH\" }").secret("url", secret_url);
    Some(Box::new(Settings { url: url? }))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        vec![&self.url]
    }

    fn effective(&self) -> Entries {
        vec![("url", show::secret(&self.url))]
    }
}
