//! The signature of a bot with 签名校验: time and signature go into the body of each call, and hold for an hour.
//!
//! Not the way of DingTalk: here time and secret are the key, and the text that is signed is empty. Pure. The known
//! answers are in `tests/vectors/notifications.json`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Signs a moment, in seconds. The secret is text and never decoded.
pub fn sign(secret: &str, timestamp: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{timestamp}\n{secret}").as_bytes());
    STANDARD.encode(hmac::sign(&key, b""))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(list: &str) -> Vec<Value> {
        let file = include_str!("../../../tests/vectors/notifications.json");
        let json: Value = serde_json::from_str(file).unwrap();
        json["feishu"][list].as_array().unwrap().clone()
    }

    fn signed(vector: &Value) -> String {
        sign(vector["secret"].as_str().unwrap(), vector["timestamp_s"].as_i64().unwrap())
    }

    #[test]
    fn known_answers_are_reproduced() {
        let vectors = vectors("positive");
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            assert_eq!(signed(&vector), vector["sign"], "{}", vector["note"]);
        }
    }

    #[test]
    fn wrong_ways_differ() {
        let vectors = vectors("refuse");
        assert_eq!(vectors.len(), 1);
        for vector in vectors {
            assert_ne!(signed(&vector), vector["sign"].as_str().unwrap(), "{}", vector["note"]);
        }
    }
}
