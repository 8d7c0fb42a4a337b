//! The keys of a channel table that only e-mail has.

use toml::Value;

use crate::fields::show::{self, Entries};
use crate::fields::{Fault, Fields, SecretSetting, no_check};
use crate::notifier::ChannelSettings;

/// How the connection to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// From the first byte.
    #[default]
    Implicit,
    /// By a mandatory upgrade.
    Starttls,
    /// Not at all.
    None,
}

impl Tls {
    const WORDS: [&str; 3] = ["implicit", "starttls", "none"];

    fn from_word(word: &str) -> Self {
        match word {
            "starttls" => Self::Starttls,
            "none" => Self::None,
            _ => Self::Implicit,
        }
    }

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }

    /// Where servers of that kind listen.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// Which server sends, and to whom.
#[derive(Debug)]
pub struct Settings {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// Who we are to the server, with the password.
    pub login: Option<(String, SecretSetting)>,
    /// Sender.
    pub from: String,
    /// Receivers.
    pub to: Vec<String>,
}

/// Reads them from a channel table.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Box<dyn ChannelSettings>> {
    let host = fields.require("host", "host = \"smtp.example.com\"").parsed("host", host);
    let port = fields.integer("port", 1..=65535).and_then(|port| u16::try_from(port).ok());
    let tls = fields.choice("tls", &Tls::WORDS).map_or_else(Tls::default, Tls::from_word);
    let login = login(fields, tls, host.as_deref());
    let from = fields.require("from", "from = \"notafter@example.com\"").parsed("from", address);
    let to = fields.require("to", "to = [\"dba@example.com\"]").texts("to", address);
    let port = port.unwrap_or_else(|| tls.usual_port());
    Some(Box::new(Settings { host: host?, port, tls, login, from: from?, to: to? }))
}

fn login(fields: &mut Fields<'_>, tls: Tls, host: Option<&str>) -> Option<(String, SecretSetting)> {
    if fields.has("username") || fields.has("password") {
        let both = "username = \"NAME\" and password = { file = \"PATH\" }";
        fields.require("username", both).require("password", both);
        let local = host.is_none_or(|host| ["localhost", "127.0.0.1", "::1"].contains(&host));
        if tls == Tls::None && !local {
            let predicate = "would be sent unprotected: `tls` is \"none\" and `host` is another machine";
            fields.problem("password", predicate, "tls = \"implicit\" or \"starttls\"");
        }
    }
    fields.string("username").zip(fields.secret("password", no_check))
}

fn host(text: &str) -> Result<String, Fault> {
    if text.contains(|c: char| c.is_whitespace() || "/@".contains(c)) {
        return Err(Fault::new("must be the name of a host and nothing else", "host = \"smtp.example.com\""));
    }
    Ok(text.to_owned())
}

/// `dba@example.com` or `DBA team <dba@example.com>`.
fn address(text: &str) -> Result<String, Fault> {
    let bare = text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(text);
    let sound =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "@<>,".contains(c));
    match bare.split_once('@') {
        Some((local, domain)) if sound(local) && sound(domain) => Ok(text.to_owned()),
        _ => {
            Err(Fault::new("is not a mail address", "\"dba@example.com\" or \"DBA team <dba@example.com>\""))
        }
    }
}

impl ChannelSettings for Settings {
    fn secrets(&self) -> Vec<&SecretSetting> {
        self.login.iter().map(|(_, password)| password).collect()
    }

    fn effective(&self) -> Entries {
        show::present([
            ("host", Some(Value::from(self.host.as_str()))),
            ("port", Some(Value::from(i64::from(self.port)))),
            ("tls", Some(Value::from(self.tls.as_str()))),
            ("username", self.login.as_ref().map(|(name, _)| Value::from(name.as_str()))),
            ("password", self.login.as_ref().map(|(_, password)| show::secret(password))),
            ("from", Some(Value::from(self.from.as_str()))),
            ("to", Some(show::list(&self.to))),
        ])
    }
}
