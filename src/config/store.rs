//! `[store]`: what outlives the process.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::Url;

use crate::fields::{Fault, Fields, SecretSetting};
use crate::secret::{Secret, SecretError};

/// The file of a store that was not configured.
const FILE: &str = "notafter.db";
/// What does not stand for itself in the path of an address.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

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
    /// Its address. `env` answers for environment variables.
    ///
    /// # Errors
    /// It is a secret, and cannot be had.
    pub fn address(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, SecretError> {
        match &self.url {
            None => Ok(Secret::new(default_url(env))),
            Some(StoreUrl::Plain(url)) => Ok(Secret::new(url.as_str())),
            Some(StoreUrl::Secret(setting)) => {
                setting.load(env, env("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
            }
        }
    }

    /// Its secret, if there is one.
    pub(super) fn secret(&self) -> Option<&SecretSetting> {
        match &self.url {
            Some(StoreUrl::Secret(setting)) => Some(setting),
            _ => None,
        }
    }
}

/// A file in the folder that the service manager made for us, else here.
fn default_url(env: &dyn Fn(&str) -> Option<String>) -> String {
    // systemd may name several, joined by colons
    let folder = env("STATE_DIRECTORY").and_then(|folders| folders.split(':').next().map(PathBuf::from));
    let path =
        folder.filter(|folder| folder.is_absolute()).map_or(PathBuf::from(FILE), |folder| folder.join(FILE));
    let path = path.to_string_lossy();
    format!("sqlite:{}", utf8_percent_encode(&path, ESCAPED))
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
        return match path.trim_start_matches('/') {
            "" | ":memory:" => Err(Fault::new("names no file", hint)),
            path if path.ends_with('/') => Err(Fault::new("names no file", hint)),
            path if path.contains('?') => Err(Fault::new("names a file, which takes no parameters", hint)),
            _ => Ok(()),
        };
    }
    let server = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let url = Url::parse(text).ok().filter(|_| server);
    match url {
        Some(url) if url.host_str().is_some_and(|host| !host.is_empty()) || url.query().is_some() => Ok(()),
        Some(_) => Err(Fault::new("names no host", hint)),
        None => Err(Fault::new("is no address of a database that can be used", hint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_address_it_is_where_the_service_manager_says() {
        for (folder, want) in [
            (Some("/var/lib/notafter"), "sqlite:/var/lib/notafter/notafter.db"),
            (Some("/var/lib/private/n:/var/lib/more"), "sqlite:/var/lib/private/n/notafter.db"),
            (Some("/odd?100%"), "sqlite:/odd%3F100%25/notafter.db"),
            (Some(""), "sqlite:notafter.db"),
            (None, "sqlite:notafter.db"),
        ] {
            let env = |name: &str| folder.filter(|_| name == "STATE_DIRECTORY").map(str::to_owned);
            let address = Store::default().address(&env).expect("no secret");
            assert_eq!(address.expose(), want, "{folder:?}");
        }
    }
}
