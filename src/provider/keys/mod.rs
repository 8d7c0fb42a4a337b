//! What calls are signed with, and where it comes from: written down, or lent for a while.
//!
//! A cloud asks its [`KeySource`] before each call. One that borrows keys renews them before they end, once at a time,
//! and lives on with the old ones while these are valid; one that reads files notices when they change.
//!
//! `lease` decides, `lent` and `watched` hold, `written` reads what the configuration says, `chain`, `environment`,
//! `files` and `ini` what the clouds' own tools leave behind, `answer` what a lender answers, `nearby` asks the machine's
//! own metadata service. What the clouds call all this is in their own folders.

mod answer;
mod chain;
mod environment;
mod files;
mod ini;
mod lease;
mod lent;
mod nearby;
mod watched;
mod written;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use answer::{LentAnswer, lent_keys, secret_text};
pub use chain::{Found, default_chain};
pub use environment::Environment;
pub use files::from_files;
pub use ini::{Ini, IniError};
pub use lent::{Lender, LentKeys};
pub use nearby::Nearby;
pub use watched::{Make, WatchedKeys};
pub use written::{Fits, as_key_part, fits_a_form, fits_a_header, written};

use super::BoxFuture;
use crate::call::CallError;
use crate::http::{Keeping, Shown};
use crate::secret::Secret;

/// A key as used for one call.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The half that names the key.
    pub id: Secret,
    /// The half that signs.
    pub secret: Secret,
    /// The token of a temporary key.
    pub token: Option<Secret>,
    /// When a temporary key ends.
    pub expires: Option<DateTime<Utc>>,
}

impl Keys {
    /// A text that somebody else wrote, with every part of the key taken out: clouds and proxies echo. Must come
    /// before anything that cuts the text, else a part of a part gets through.
    pub fn censored<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let parts = [Some(&self.secret), self.token.as_ref(), Some(&self.id)].into_iter().flatten();
        parts.map(Secret::expose).filter(|part| !part.is_empty()).fold(Cow::Borrowed(text), |text, part| {
            if text.contains(part) { text.replace(part, "***").into() } else { text }
        })
    }

    /// Nobody's key, for answers that are read again offline.
    pub fn nobodys() -> Self {
        Self { id: Secret::new(""), secret: Secret::new(""), token: None, expires: None }
    }

    /// How an answer to a call with this key is kept.
    pub fn keeping(&self, shown: &'static Shown) -> Keeping<'_> {
        let token = self.token.as_ref().map_or("", Secret::expose);
        Keeping { shown, secrets: [self.id.expose(), self.secret.expose(), token] }
    }

    /// Whether both name and sign alike.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id.expose() == other.id.expose() && self.secret.expose() == other.secret.expose()
    }
}

/// Where the key of an account comes from.
pub trait KeySource: Debug + Send + Sync {
    /// The key to use now.
    fn keys(&self) -> BoxFuture<'_, Result<Arc<Keys>, CallError>>;

    /// The cloud did not accept this key: a lent one is fetched anew before the next call, a read one read again.
    fn refused(&self, used: &Keys);

    /// Calls that it may make to get keys, by the cloud's own names.
    fn actions(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// A key that never changes.
#[derive(Debug)]
pub struct FixedKeys(Arc<Keys>);

impl FixedKeys {
    /// This key, for ever.
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(keys))
    }

    /// A key of these parts, for ever.
    pub fn of(id: Secret, secret: Secret, token: Option<Secret>) -> Arc<dyn KeySource> {
        Arc::new(Self::new(Keys { id, secret, token, expires: None }))
    }
}

impl KeySource for FixedKeys {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<Keys>, CallError>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.0))))
    }

    fn refused(&self, _: &Keys) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_in_no_text() {
        let keys = Keys {
            id: Secret::new("id"),
            secret: Secret::new("SECRET"),
            token: Some(Secret::new("TOKEN")),
            expires: None,
        };
        assert_eq!(
            keys.censored("id signed by SECRET with TOKEN, twice SECRET"),
            "*** signed by *** with ***, twice ***"
        );
        assert!(!format!("{keys:?}").contains("SECRET"));
    }
}
