//! An address that is a secret itself: whoever has it can write to the channel.
//!
//! Made when a channel is built; from then on only its scheme and host are shown. What in it is secret goes to the
//! channel's [`Post`](super::post::Post), which leaves it out of everything that it says.

use std::any::Any;
use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::{BuildError, Order, secret_url};
use crate::fields::SecretSetting;
use crate::secret::Secret;

/// A secret address.
#[derive(Clone)]
pub(super) struct Address {
    url: Url,
    place: String,
}

impl Address {
    /// Reads it now, and checks it once more: the configuration could check only what was written there itself.
    pub(super) fn read(order: &Order<'_>, setting: &SecretSetting) -> Result<Self, BuildError> {
        let text = secret(order, setting)?;
        secret_url(text.expose()).map_err(|fault| odd(setting, fault.message))?;
        let url = Url::parse(text.expose()).map_err(|error| odd(setting, error.to_string()))?;
        Ok(Self { place: url.origin().ascii_serialization(), url })
    }

    /// Scheme and host.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The whole of it, for the one place that sends.
    pub(super) fn expose(&self) -> &str {
        self.url.as_str()
    }

    /// The whole of it with more behind its query; what is added is encoded already.
    pub(super) fn with_query(&self, more: &str) -> String {
        let mut url = self.url.clone();
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&{more}"),
            _ => more.to_owned(),
        };
        url.set_query(Some(&query));
        url.into()
    }

    /// Everything in it that must not be seen, the longest first: itself, `extra`, the values of its query, user and
    /// password, and its last path segment where that is the secret.
    pub(super) fn secrets(&self, last_segment: bool, extra: Option<&Secret>) -> Vec<Secret> {
        let url = &self.url;
        let mut texts = vec![url.as_str().to_owned()];
        let query = url.query().unwrap_or_default();
        texts.extend(
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()),
        );
        texts.extend(url.password().map(str::to_owned));
        texts.extend(extra.map(|secret| secret.expose().to_owned()));
        if last_segment {
            texts.extend(url.path_segments().into_iter().flatten().next_back().map(str::to_owned));
        }
        let decoded: Vec<_> =
            texts.iter().map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned()).collect();
        texts.extend(decoded);
        texts.retain(|text| text.len() > 1);
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        texts.into_iter().map(Secret::new).collect()
    }

    /// Tells robots apart.
    pub(super) fn robot(&self) -> u64 {
        identity(&[self.expose()])
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.place)
    }
}

/// A number that tells secrets apart and does not give them away: the beginning of a hash.
pub(super) fn identity(parts: &[&str]) -> u64 {
    let hash = digest(&SHA256, parts.join("\n").as_bytes());
    let (first, _) = hash.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}

/// The settings of a channel as its own type knows them.
pub(super) fn own<'a, T: Any>(order: &Order<'a>) -> &'a T {
    let settings: &dyn Any = order.settings;
    settings.downcast_ref().expect("a channel is built of the settings that its own type has read")
}

/// Reads a secret now.
pub(super) fn secret(order: &Order<'_>, setting: &SecretSetting) -> Result<Secret, BuildError> {
    (order.secret)(setting).map_err(|source| BuildError::Secret { subject: setting.subject.clone(), source })
}

/// A secret that cannot be one.
pub(super) fn odd(setting: &SecretSetting, problem: impl Into<String>) -> BuildError {
    BuildError::OddSecret { subject: setting.subject.clone(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        let url = Url::parse(text).unwrap();
        Address { place: url.origin().ascii_serialization(), url }
    }

    #[test]
    fn more_goes_behind_the_query_and_is_not_encoded_again() {
        for (name, base, want) in [
            ("a query", "https://a.example/x?t=1", "https://a.example/x?t=1&sign=a%2Bb"),
            ("none", "https://a.example/x", "https://a.example/x?sign=a%2Bb"),
            ("an empty one", "https://a.example/x?", "https://a.example/x?sign=a%2Bb"),
        ] {
            let address = address(base);
            assert_eq!(address.with_query("sign=a%2Bb"), want, "{name}");
            assert_eq!(address.with_query("sign=a%2Bb"), want, "{name}: the second time");
        }
    }

    #[test]
    fn only_scheme_and_host_are_shown() {
        let address = address("https://user:password@oapi.example:8443/robot/send?access_token=abcdef");
        assert_eq!(address.place(), "https://oapi.example:8443");
        assert_eq!(format!("{address:?}"), "Address(https://oapi.example:8443)");
    }

    #[test]
    fn everything_secret_in_it_is_known() {
        let address = address("https://user:password@a.example/hook/0a1b2c?key=k%2Dey");
        let all = address.secrets(true, Some(&Secret::new("SEC123")));
        let all: Vec<_> = all.iter().map(Secret::expose).collect();
        for secret in ["password", "0a1b2c", "k%2Dey", "k-ey", "SEC123", address.expose()] {
            assert!(all.contains(&secret), "{secret} is not among {all:?}");
        }
        assert!(all.is_sorted_by_key(|text| std::cmp::Reverse(text.len())), "the longest first");
    }

    #[test]
    fn other_addresses_are_other_robots() {
        let one = address("https://a.example/hook/1");
        assert_eq!(one.robot(), address("https://a.example/hook/1").robot());
        assert_ne!(one.robot(), address("https://a.example/hook/2").robot());
        assert_ne!(identity(&["a", "b"]), identity(&["ab"]));
    }
}
