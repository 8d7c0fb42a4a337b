//! An address that is a secret itself: whoever has it can write to the channel.
//!
//! Knows which parts of it must never be seen, and what people and pacing may know of it instead.

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::{BuildError, Order};
use crate::fields::{Plain, SecretSetting, check_url};
use crate::secret::Secret;

/// Shorter segments of a path are words, not tokens.
const SHORTEST_SEGMENT: usize = 8;

/// A secret address, kept byte for byte as it was given.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    url: Secret,
    place: String,
    parts: Vec<Secret>,
}

impl Address {
    /// Reads the address behind `setting`; `plain` says where unencrypted ones are good enough.
    pub(super) fn load(order: &Order<'_>, setting: &SecretSetting, plain: Plain) -> Result<Self, BuildError> {
        Self::read(load(order, setting)?, setting, plain)
    }

    /// The same of a `secret` that was read already.
    pub(crate) fn read(secret: Secret, setting: &SecretSetting, plain: Plain) -> Result<Self, BuildError> {
        let url = check_url(secret.expose(), plain).map_err(|fault| odd(setting, fault.message))?;
        let parts = secret_parts(&secret, &url);
        Ok(Self { place: place(&url), url: secret, parts })
    }

    /// The whole of it, for the one place that sends.
    pub(crate) fn expose(&self) -> &str {
        self.url.expose()
    }

    /// Scheme and host, and the port where it is not the usual one.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Everything in it that must not be seen, longest first, so that no rest of a longer one stays behind.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.parts.clone()
    }

    /// See [`robot`].
    pub(super) fn robot(&self) -> u64 {
        robot(&[self.expose()])
    }
}

/// Reads a secret of the channel.
pub(super) fn load(order: &Order<'_>, setting: &SecretSetting) -> Result<Secret, BuildError> {
    (order.secret)(setting).map_err(|source| BuildError::Secret { subject: setting.subject.clone(), source })
}

/// A secret that was read and cannot be one.
pub(super) fn odd(setting: &SecretSetting, problem: impl Into<String>) -> BuildError {
    BuildError::OddSecret { subject: setting.subject.clone(), problem: problem.into() }
}

/// Tells robots apart by what is secret about them: the first half of a SHA-256's first half, from which nothing can
/// be read back.
pub(super) fn robot(secrets: &[&str]) -> u64 {
    let whole = digest(&SHA256, secrets.join("\n").as_bytes());
    whole.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Scheme and host, and the port where it is not the usual one.
pub(super) fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn secret_parts(whole: &Secret, url: &Url) -> Vec<Secret> {
    let mut parts = vec![whole.expose().to_owned(), url.as_str().to_owned()];
    let path = url.path();
    parts.extend([path, path.trim_start_matches('/')].map(str::to_owned));
    parts.extend(path.split('/').filter(|segment| segment.len() >= SHORTEST_SEGMENT).map(str::to_owned));
    if let Some(query) = url.query() {
        parts.extend([format!("{path}?{query}"), query.to_owned()]);
        parts.extend(query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, v)| v.to_owned()));
    }
    parts.extend([url.username().to_owned()]);
    parts.extend(url.password().map(str::to_owned));
    let decoded: Vec<_> =
        parts.iter().map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    parts.extend(decoded);
    parts.retain(|part| part.len() > 3);
    parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    parts.dedup();
    parts.into_iter().map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        let parts = secret_parts(&Secret::new(text), &Url::parse(text).unwrap());
        parts.iter().map(|part| part.expose().to_owned()).collect()
    }

    #[test]
    fn every_secret_part_of_an_address_is_known() {
        for (text, secrets) in [
            (
                "https://hooks.slack.com/services/T00000000/B00000000/abcDEF123",
                &["services/T00000000/B00000000/abcDEF123", "abcDEF123", "B00000000"][..],
            ),
            ("https://me:s%2Bcret@h.example/in", &["s%2Bcret", "s+cret"]),
            ("https://h.example/x?sig=ab%2Bcd%3D&sv=1.0", &["ab%2Bcd%3D", "ab+cd=", "sig=ab%2Bcd%3D&sv=1.0"]),
        ] {
            let parts = parts(text);
            for secret in secrets {
                assert!(parts.iter().any(|part| part == secret), "{secret} of {text}: {parts:?}");
            }
            assert!(parts.is_sorted_by(|a, b| a.len() >= b.len()), "the longest comes first: {parts:?}");
            assert!(!parts.iter().any(|part| "https://h.example".contains(part.as_str())), "{parts:?}");
        }
    }

    #[test]
    fn nothing_of_an_address_shows() {
        let address = Address {
            url: Secret::new("https://h.example/hunter2"),
            place: place(&Url::parse("https://h.example:8443/hunter2?x=hunter2").unwrap()),
            parts: vec![Secret::new("hunter2")],
        };
        assert_eq!(address.place(), "https://h.example:8443");
        assert!(!format!("{address:?}").contains("hunter2"));
        assert_ne!(robot(&["a", "b"]), robot(&["b", "a"]), "robots are told apart");
    }
}
