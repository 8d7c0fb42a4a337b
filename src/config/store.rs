//! `[store]`: what outlives the process.

use reqwest::Url;

use crate::fields::{Fault, Fields, SecretSetting};

/// Where it is kept.
#[derive(Debug, Default)]
pub struct Store {
    /// `None`: a file in `$STATE_DIRECTORY`, else `./notafter.db`.
    pub url: Option<StoreUrl>,
}

/// Address of a database.
#[derive(Debug)]
pub enum StoreUrl {
    /// A file, or a server that asks for no password.
    Plain(String),
    /// With a password in it, or written elsewhere.
    Secret(SecretSetting),
}

impl Store {
    /// Its secret, if there is one.
    pub(super) fn secret(&self) -> Option<&SecretSetting> {
        match &self.url {
            Some(StoreUrl::Secret(setting)) => Some(setting),
            _ => None,
        }
    }
}

/// Reads the table.
pub(super) fn read(fields: &mut Fields<'_>) -> Store {
    let plain = fields.peek("url").is_some_and(|url| !has_password(url));
    let url = if plain {
        fields.parsed("url", |text| check(text).map(|()| StoreUrl::Plain(text.to_owned())))
    } else {
        fields.secret("url", check).map(StoreUrl::Secret)
    };
    Store { url }
}

fn has_password(url: &str) -> bool {
    Url::parse(url).map_or(true, |url| url.password().is_some() || url.query().is_some())
}

/// `sqlite:PATH` or `postgres://…`; never repeated.
fn check(text: &str) -> Result<(), Fault> {
    let hint = "\"sqlite:/var/lib/notafter/notafter.db\" or \"postgres://USER@HOST/DATABASE\"";
    if let Some(path) = text.strip_prefix("sqlite:") {
        let named = !path.trim_start_matches('/').is_empty();
        return if named { Ok(()) } else { Err(Fault::new("names no file", hint)) };
    }
    let server = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let url = Url::parse(text).ok().filter(|_| server);
    match url {
        Some(url) if url.host_str().is_some_and(|host| !host.is_empty()) || url.query().is_some() => Ok(()),
        Some(_) => Err(Fault::new("names no host", hint)),
        None => Err(Fault::new("is no address of a database that can be used", hint)),
    }
}
