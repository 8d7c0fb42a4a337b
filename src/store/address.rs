//! Where the store is: a file for SQLite, or a PostgreSQL server.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::trouble::{Kind, Trouble};
use crate::secret::Secret;

/// What stands for itself in the path of a file.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Where the store is.
#[derive(Debug, Clone)]
pub(super) enum Address {
    File(PathBuf),
    Server { url: Secret, shown: Box<str> },
}

impl Address {
    /// Reads `sqlite:PATH` or `postgres://…`.
    pub(super) fn parse(url: &str) -> Result<Self, Trouble> {
        let Some(path) = url.strip_prefix("sqlite:") else { return server(url) };
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains('?') {
            return Err(Trouble::Address("a file takes no parameters".to_owned()));
        }
        let decoded = percent_decode_str(path).decode_utf8();
        match decoded.map(|path| PathBuf::from(&*path)) {
            Ok(path) if path.file_name().is_some() && path != Path::new(":memory:") => Ok(Self::File(path)),
            _ => Err(Trouble::Address("it names no file".to_owned())),
        }
    }

    /// What people are shown: no password, no parameters.
    pub(super) fn shown(&self) -> Box<str> {
        match self {
            Self::File(path) => path.display().to_string().into(),
            Self::Server { shown, .. } => shown.clone(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::File(_) => Kind::Sqlite,
            Self::Server { .. } => Kind::Postgres,
        }
    }

    /// As `sqlx` wants it.
    pub(super) fn url(&self) -> Secret {
        match self {
            Self::File(path) => {
                let path = path.to_string_lossy();
                Secret::new(format!("sqlite://{}?mode=rwc", utf8_percent_encode(&path, PATH)))
            }
            Self::Server { url, .. } => url.clone(),
        }
    }
}

fn server(text: &str) -> Result<Address, Trouble> {
    let url = reqwest::Url::parse(text).ok().filter(|url| ["postgres", "postgresql"].contains(&url.scheme()));
    let Some(url) = url else {
        return Err(Trouble::Address("neither sqlite:PATH nor postgres://…".to_owned()));
    };
    let user = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    let shown = format!("{}://{user}{host}{port}{}", url.scheme(), url.path());
    Ok(Address::Server { url: Secret::new(text), shown: shown.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password_and_parameters() {
        for (url, shown) in [
            ("sqlite:/var/lib/n.db", "/var/lib/n.db"),
            ("sqlite:///var/lib/n.db", "/var/lib/n.db"),
            ("sqlite:n.db", "n.db"),
            ("sqlite:/with%20blank%3F/n.db", "/with blank?/n.db"),
            (
                "postgres://me:HUNTER2@db.example:5433/n?sslmode=verify-full&x=HUNTER2",
                "postgres://me@db.example:5433/n",
            ),
            ("postgresql:///n?host=/run/postgresql", "postgresql:///n"),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!(&*address.shown(), shown);
            assert!(!format!("{address:?}").contains("HUNTER2"), "{address:?}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for url in [
            "",
            "sqlite:",
            "sqlite:///",
            "sqlite::memory:",
            "sqlite:x.db?mode=ro",
            "mysql://me:HUNTER2@h/d",
            "HUNTER2",
        ] {
            let error = Address::parse(url).expect_err(url);
            assert!(!error.to_string().contains("HUNTER2"), "{error}");
        }
    }
}
