//! Answers that carry keys. Every cloud has words of its own for the same four things; they never mean different ones.
//!
//! Parser errors are told by column only, because their texts repeat values.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Keys;
use crate::call::{CallError, CallErrorKind};
use crate::secret::Secret;

/// Keys as a lender writes them.
#[derive(Debug, Default, Deserialize)]
pub struct LentAnswer {
    #[serde(
        default,
        alias = "AccessKeyId",
        alias = "PublicKey",
        alias = "access",
        alias = "access_key_id",
        deserialize_with = "secret_text"
    )]
    id: Option<Secret>,
    #[serde(
        default,
        alias = "AccessKeySecret",
        alias = "PrivateKey",
        alias = "secret_access_key",
        deserialize_with = "secret_text"
    )]
    secret: Option<Secret>,
    #[serde(
        default,
        alias = "SecurityToken",
        alias = "securitytoken",
        alias = "security_token",
        deserialize_with = "secret_text"
    )]
    token: Option<Secret>,
    #[serde(default, alias = "Expiration", alias = "expires_at", alias = "expiration")]
    expires: Value,
}

/// The table that they stand in, if it is not the answer itself.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, alias = "Credentials", alias = "credential", alias = "Data")]
    credentials: Option<LentAnswer>,
}

/// Reads the keys of an answer, wherever in it they stand.
///
/// # Errors
/// It is not JSON, or a part of the keys is missing or cannot be one.
pub fn lent_keys(body: &[u8], action: &'static str) -> Result<Keys, CallError> {
    let failed = |error: serde_json::Error| {
        let text = format!("the answer with the keys is not the JSON expected (column {})", error.column());
        CallError::new(CallErrorKind::Unreadable, action, text)
    };
    match serde_json::from_slice::<Envelope>(body).map_err(failed)?.credentials {
        Some(inner) => inner.into_keys(action),
        None => serde_json::from_slice::<LentAnswer>(body).map_err(failed)?.into_keys(action),
    }
}

impl LentAnswer {
    /// The keys, if all parts are there.
    ///
    /// # Errors
    /// One is missing, or holds what cannot travel in a header.
    pub fn into_keys(self, action: &'static str) -> Result<Keys, CallError> {
        let part = |part: Option<Secret>, name: &str| {
            let good = |part: &Secret| {
                let text = part.expose();
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            };
            part.filter(good).ok_or_else(|| {
                let text = format!("the answer has no {name}, or one that no key has");
                CallError::new(CallErrorKind::Unreadable, action, text)
            })
        };
        let expires = end(&self.expires).ok_or_else(|| {
            let text = "the answer does not say when the keys end, or not in a known form";
            CallError::new(CallErrorKind::Unreadable, action, text)
        })?;
        Ok(Keys {
            id: part(self.id, "key id")?,
            secret: part(self.secret, "secret")?,
            token: Some(part(self.token, "security token")?),
            expires: Some(expires),
        })
    }
}

/// A date with or without fraction, in UTC where it names no zone; or seconds since 1970.
fn end(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(seconds) => DateTime::from_timestamp(seconds.as_i64()?, 0),
        Value::String(text) => {
            let text = text.trim();
            let zoned = DateTime::parse_from_rfc3339(text).ok().map(|date| date.to_utc());
            let plain = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|date| date.and_utc());
            let seconds = || DateTime::from_timestamp(text.parse().ok()?, 0);
            zoned
                .or_else(|| plain("%Y-%m-%dT%H:%M:%S%.f"))
                .or_else(|| plain("%Y-%m-%d %H:%M:%S%.f"))
                .or_else(seconds)
        }
        _ => None,
    }
}

/// A text that becomes a secret without ever being another value; for `deserialize_with`. An empty one is none.
///
/// # Errors
/// It is not text.
pub fn secret_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_all_clouds_are_read() {
        let noon = "2026-11-22T12:00:00Z";
        for (name, body) in [
            (
                "alibaba STS",
                r#"{"RequestId":"R","Credentials":{"AccessKeyId":"I","AccessKeySecret":"S","SecurityToken":"T","Expiration":"2026-11-22T12:00:00Z"}}"#,
            ),
            (
                "alibaba ECS",
                r#"{"AccessKeyId":"I","AccessKeySecret":"S","SecurityToken":"T","Expiration":"2026-11-22T12:00:00Z","LastUpdated":"x","Code":"Success"}"#,
            ),
            (
                "huawei IAM",
                r#"{"credential":{"access":"I","secret":"S","securitytoken":"T","expires_at":"2026-11-22T12:00:00.000000Z"}}"#,
            ),
            (
                "huawei STS",
                r#"{"credentials":{"access_key_id":"I","secret_access_key":"S","security_token":"T","expiration":"2026-11-22T12:00:00.000Z"}}"#,
            ),
            (
                "ucloud v1",
                r#"{"RetCode":0,"Data":{"PublicKey":"I","PrivateKey":"S","SecurityToken":"T","ProjectID":"p","Expiration":1795348800}}"#,
            ),
            (
                "ucloud v2",
                r#"{"RetCode":0,"AccessKeyId":"I","AccessKeySecret":"S","SecurityToken":"T","Expiration":"2026-11-22T20:00:00+08:00"}"#,
            ),
            (
                "no zone",
                r#"{"AccessKeyId":"I","AccessKeySecret":"S","SecurityToken":"T","Expiration":"2026-11-22 12:00:00"}"#,
            ),
        ] {
            let keys = lent_keys(body.as_bytes(), "x:Y").unwrap_or_else(|error| panic!("{name}: {error}"));
            let token = keys.token.as_ref().map_or("", Secret::expose);
            assert_eq!((keys.id.expose(), keys.secret.expose(), token), ("I", "S", "T"), "{name}");
            assert_eq!(keys.expires, noon.parse().ok(), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_repeated() {
        for (name, body, want) in [
            ("nothing", "{}", "does not say when"),
            (
                "no end",
                r#"{"AccessKeyId":"HUNTER2","AccessKeySecret":"HUNTER2","SecurityToken":"HUNTER2"}"#,
                "does not say when",
            ),
            (
                "an end in words",
                r#"{"AccessKeyId":"I","AccessKeySecret":"HUNTER2","SecurityToken":"T","Expiration":"soon"}"#,
                "does not say when",
            ),
            (
                "no secret",
                r#"{"AccessKeyId":"HUNTER2","SecurityToken":"HUNTER2","Expiration":1}"#,
                "no secret",
            ),
            (
                "an empty token",
                r#"{"AccessKeyId":"I","AccessKeySecret":"HUNTER2","SecurityToken":"","Expiration":1}"#,
                "no security token",
            ),
            (
                "a line break",
                r#"{"AccessKeyId":"HUNTER2\n","AccessKeySecret":"S","SecurityToken":"T","Expiration":1}"#,
                "no key id",
            ),
            ("a number", r#"{"AccessKeyId":777,"AccessKeySecret":"HUNTER2"}"#, "not the JSON expected"),
            ("text for the table", r#"{"Data":"HUNTER2"}"#, "not the JSON expected"),
            ("HTML", "<html>HUNTER2", "not the JSON expected"),
        ] {
            let error = lent_keys(body.as_bytes(), "x:Y").unwrap_err();
            assert_eq!(error.kind, CallErrorKind::Unreadable, "{name}");
            assert!(error.message.contains(want), "{name}: {error}");
            assert!(
                !format!("{error} {error:?}").contains("HUNTER2") && !error.message.contains("777"),
                "{name}"
            );
        }
    }
}
