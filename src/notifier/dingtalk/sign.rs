//! The signature of a robot with 加签: time and signature go into the query of each call, and hold for an hour.
//!
//! Pure. The known answers are in `tests/vectors/notifications.json`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A signature in both of its forms. Has no `Debug` form.
pub struct Signed {
    /// What was signed.
    pub timestamp_ms: i64,
    /// As computed.
    pub base64: String,
    /// As it stands in the query: percent-encoded once, because a `+` would arrive as a blank.
    pub encoded: String,
}

impl Signed {
    /// The address with time and signature behind its query; the address itself is never changed.
    pub fn added_to(&self, url: &str) -> String {
        let (url, _fragment) = url.split_once('#').unwrap_or((url, ""));
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}timestamp={}&sign={}", self.timestamp_ms, self.encoded)
    }
}

/// Signs a moment: the secret is the key as it is written (its `SEC` is part of it) and stands in the text as well.
pub fn signed(secret: &str, timestamp_ms: i64) -> Signed {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let base64 = STANDARD.encode(hmac::sign(&key, format!("{timestamp_ms}\n{secret}").as_bytes()));
    let encoded = utf8_percent_encode(&base64, NON_ALPHANUMERIC).to_string();
    Signed { timestamp_ms, base64, encoded }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(list: &str) -> Vec<Value> {
        let file = include_str!("../../../tests/vectors/notifications.json");
        let json: Value = serde_json::from_str(file).unwrap();
        json["dingtalk"][list].as_array().unwrap().clone()
    }

    fn signed_as(vector: &Value) -> Signed {
        signed(vector["secret"].as_str().unwrap(), vector["timestamp_ms"].as_i64().unwrap())
    }

    #[test]
    fn known_answers_are_reproduced() {
        let vectors = vectors("positive");
        assert_eq!(vectors.len(), 5);
        for vector in vectors {
            let (note, signed) = (&vector["note"], signed_as(&vector));
            assert_eq!(signed.base64, vector["sign_base64"], "{note}");
            assert_eq!(signed.encoded, vector["sign_query"], "{note}");
            let url = signed.added_to("https://oapi.dingtalk.com/robot/send?access_token=TOKEN");
            assert_eq!(url, vector["url"], "{note}");
        }
    }

    #[test]
    fn wrong_ways_differ() {
        let vectors = vectors("refuse");
        assert_eq!(vectors.len(), 2);
        let [not_encoded, seconds] = &vectors[..] else { panic!("two") };
        assert_ne!(signed_as(not_encoded).encoded, not_encoded["sign_query"].as_str().unwrap());
        let ms = seconds["timestamp_ms"].as_i64().unwrap() * 1000;
        let right = signed(seconds["secret"].as_str().unwrap(), ms);
        assert_ne!(right.encoded, seconds["sign_query"].as_str().unwrap());
    }
}
