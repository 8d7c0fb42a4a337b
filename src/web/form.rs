//! Forms of pages: their fields, and the seal that ties a form to what its reader saw.
//!
//! A form carries a token over what it is about and the state that was shown. Once that changed (the order itself changes
//! it), the token is worth nothing any more: nobody approves what they have not seen, and no form counts twice.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;

use super::query::pairs;

/// Makes tokens and knows them again. They end with the process; forms that are open stay good over a reload.
pub(super) struct Seal(hmac::Key);

static OF_THIS_PROCESS: LazyLock<Arc<Seal>> = LazyLock::new(Arc::default);

impl Default for Seal {
    fn default() -> Self {
        let key = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new());
        Self(key.expect("the random numbers of the library never run out"))
    }
}

impl Seal {
    /// The one of this process.
    pub(super) fn of_this_process() -> Arc<Self> {
        Arc::clone(&OF_THIS_PROCESS)
    }

    /// The token over these parts.
    pub(super) fn token(&self, about: &[&str]) -> String {
        hex::encode(hmac::sign(&self.0, &joined(about)))
    }

    /// Whether a token is one over these parts.
    pub(super) fn is_of(&self, token: &str, about: &[&str]) -> bool {
        let given = hex::decode(token).unwrap_or_default();
        hmac::verify(&self.0, &joined(about), &given).is_ok()
    }
}

/// With the length of each part before it, so that no two lists read the same.
fn joined(about: &[&str]) -> Vec<u8> {
    about.iter().flat_map(|part| format!("{}:{part}", part.len()).into_bytes()).collect()
}

/// What was filled in. A field that is not text counts as not given.
pub(super) struct Filled(Vec<(String, String)>);

impl Filled {
    /// Reads the body of a form.
    pub(super) fn read(body: &[u8]) -> Self {
        Self(pairs(std::str::from_utf8(body).ok()).flatten().collect())
    }

    /// A field; empty where it is not given.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_worth_something_only_for_what_it_was_made_for() {
        let seal = Seal::default();
        let token = seal.token(&["ren_1", "announced", "5"]);
        assert!(seal.is_of(&token, &["ren_1", "announced", "5"]));
        for (name, token, about) in [
            ("another state", &*token, &["ren_1", "approved", "5"][..]),
            ("another moment", &token, &["ren_1", "announced", "6"]),
            ("other borders", &token, &["ren_1announced", "5", ""]),
            ("no token", "", &["ren_1", "announced", "5"]),
            ("no hex", "xyz", &["ren_1", "announced", "5"]),
            ("half of one", &token[..32], &["ren_1", "announced", "5"]),
        ] {
            assert!(!seal.is_of(token, about), "{name}");
        }
        assert!(!Seal::default().is_of(&token, &["ren_1", "announced", "5"]), "of another process");
    }

    #[test]
    fn fields_are_read_as_browsers_send_them() {
        let filled = Filled::read(b"what=approve&by=a+%C3%BC&by=second&odd=%FF");
        assert_eq!((filled.field("what"), filled.field("by")), ("approve", "a ü"));
        assert_eq!((filled.field("odd"), filled.field("none")), ("", ""));
        assert_eq!(Filled::read(&[0xff]).field("what"), "");
    }
}
