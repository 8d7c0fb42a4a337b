//! The keys of a channel table that only the plain webhook has.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fault, Fields, Item, SecretSetting, no_check};
use crate::notifier::{ChannelSettings, own_url};

/// What the receiver understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Our own body.
    #[default]
    Notafter,
    /// That of Alertmanager's webhook, version 4.
    Alertmanager,
}

/// Where to post, and how the receiver knows that it was us.
#[derive(Debug)]
pub struct Settings {
    /// The receiver.
    pub url: SecretSetting,
    /// Standard Webhooks secrets, `whsec_` and base64; each signs, which is how they are rotated.
    pub secrets: Vec<SecretSetting>,
    /// Shape of the body.
    pub format: Format,
    /// Headers to add; their values are secrets, because most are tokens.
    pub headers: BTreeMap<String, SecretSetting>,
}

/// Headers that the sender sets itself.
const OWN_HEADERS: [&str; 7] = [
    "content-type",
    "content-length",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let url = fields.require("url", "url = { file = \"PATH\" }").secret("url", own_url);
    let secrets = fields.secrets("secret", signing_secret).unwrap_or_default();
    let format = match fields.choice("format", &["notafter", "alertmanager"]) {
        Some("alertmanager") => Format::Alertmanager,
        _ => Format::Notafter,
    };
    let headers = fields.item("headers").and_then(|item| item.map(header)).unwrap_or_default();
    Some(Box::new(Settings { url: url?, secrets, format, headers }))
}

fn header(name: &str, mut value: Item<'_>) -> Option<SecretSetting> {
    let is_token = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        value.refuse("is not the name of a header", "letters, digits and -");
        return None;
    }
    if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        value.refuse("is set by notafter itself", "take it away");
        return None;
    }
    value.secret(no_check)
}

/// `whsec_` and the base64 form of 24 to 64 bytes (Standard Webhooks 1.0).
fn signing_secret(text: &str) -> Result<(), Fault> {
    let key = text.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    if key.is_some_and(|key| (24..=64).contains(&key.len())) {
        return Ok(());
    }
    let hint = "printf 'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\"";
    Err(Fault::new("must be `whsec_` followed by the base64 form of 24 to 64 bytes", hint))
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        std::iter::once(&self.url).chain(&self.secrets).chain(self.headers.values()).collect()
    }

    fn effective(&self) -> Entries {
        let format = match self.format {
            Format::Notafter => "notafter",
            Format::Alertmanager => "alertmanager",
        };
        let secrets = || Value::Array(self.secrets.iter().map(show::secret).collect());
        let headers =
            || show::table(self.headers.iter().map(|(name, value)| (name.as_str(), show::secret(value))));
        show::present([
            ("url", Some(show::secret(&self.url))),
            ("secret", (!self.secrets.is_empty()).then(secrets)),
            ("format", Some(Value::from(format))),
            ("headers", (!self.headers.is_empty()).then(headers)),
        ])
    }
}
