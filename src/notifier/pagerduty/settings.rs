//! The keys of a channel table that only PagerDuty has.

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fault, Fields, SecretSetting};
use crate::notifier::{ChannelSettings, base_url};

/// Which service is called.
#[derive(Debug)]
pub struct Settings {
    /// Integration key of the service.
    pub routing_key: SecretSetting,
    /// In place of `https://events.pagerduty.com`.
    pub base_url: Option<String>,
}

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let example = "routing_key = { file = \"PATH\" }";
    let routing_key = fields.require("routing_key", example).secret("routing_key", routing_key);
    let base_url = fields.parsed("base_url", base_url);
    Some(Box::new(Settings { routing_key: routing_key?, base_url }))
}

pub(super) fn routing_key(text: &str) -> Result<(), Fault> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let hint = "the integration key of an \"Events API v2\" integration of the service";
    Err(Fault::new("must be 32 letters and digits", hint))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        vec![&self.routing_key]
    }

    fn effective(&self) -> Entries {
        show::present([
            ("routing_key", Some(show::secret(&self.routing_key))),
            ("base_url", self.base_url.as_deref().map(Value::from)),
        ])
    }
}
