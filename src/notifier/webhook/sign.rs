//! Standard Webhooks 1.0: how a receiver knows that it was us, and that nobody changed a byte.
//!
//! Pure: secrets, id, time and body in, header value out. The bytes that are signed are the bytes that are sent.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a secret begins with; the rest is base64.
const PREFIX: &str = "whsec_";
/// So many bytes a key has.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads `whsec_…`; the key is what the base64 stands for. `None`: it is no such secret.
    pub fn parse(secret: &str) -> Option<Self> {
        let bytes = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        KEY_BYTES.contains(&bytes.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, content: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, content)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Value of `webhook-signature`: one signature for each key, in their order, so that a receiver that holds either
/// the new secret or the old one accepts. `timestamp` is in seconds, of this attempt.
pub fn signature(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&content)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        let text = include_str!("../../../tests/vectors/notifications.json");
        let mut all: Value = serde_json::from_str(text).expect("JSON");
        all["standard_webhooks"].take()
    }

    fn sign_as(vector: &Value, secrets: &[&str]) -> String {
        let text = |name: &str| vector[name].as_str().expect("text");
        let keys: Vec<_> = secrets.iter().map(|secret| SigningKey::parse(secret).expect("a key")).collect();
        let timestamp = text("webhook-timestamp").parse().expect("seconds");
        signature(&keys, text("webhook-id"), timestamp, text("body").as_bytes())
    }

    #[test]
    fn every_known_signature_is_reproduced() {
        let vectors = vectors();
        let positive = vectors["positive"].as_array().expect("a list");
        assert_eq!(positive.len(), 5);
        for vector in positive {
            let secret = vector["secret"].as_str().expect("text");
            assert_eq!(sign_as(vector, &[secret]), vector["webhook-signature"], "{}", vector["note"]);
        }
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign_the_newest_first() {
        let vectors = vectors();
        let rotation = &vectors["rotation"];
        let secrets: Vec<_> =
            rotation["secrets"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(secrets.len(), 2);
        assert_eq!(sign_as(rotation, &secrets), rotation["webhook-signature"]);
    }

    #[test]
    fn what_must_be_refused_is_never_made() {
        let vectors = vectors();
        let refuse = vectors["refuse"].as_array().expect("a list");
        assert_eq!(refuse.len(), 2);
        for vector in refuse {
            let secret = vector["secret"].as_str().expect("text");
            assert_ne!(sign_as(vector, &[secret]), vector["webhook-signature"], "{}", vector["note"]);
        }
    }

    #[test]
    fn a_key_is_24_to_64_bytes_and_never_shown() {
        let secret = |bytes: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        for (bytes, accepted) in [(23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(SigningKey::parse(&secret(bytes)).is_some(), accepted, "{bytes}");
        }
        assert!(SigningKey::parse("whsec_not base64").is_none());
        assert!(SigningKey::parse(&STANDARD.encode([7; 32])).is_none(), "without its prefix");
        assert_eq!(format!("{:?}", SigningKey::parse(&secret(32)).unwrap()), "[REDACTED]");
    }
}
