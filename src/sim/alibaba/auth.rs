//! Checks who is calling, by recomputing the signature from what really arrived.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, TimeDelta, Utc};

use super::account::Key;
use super::error::ApiError;
use super::request::Received;
use crate::provider::alibaba::sign;
use crate::provider::digest::hmac_sha256_hex;

/// How far the clocks may be apart.
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// Everything but the nonce, which counts as used only by a request that is right otherwise.
pub(super) fn verify(received: &Received<'_>, key: Option<&Key>, now: DateTime<Utc>) -> Result<(), ApiError> {
    let claimed = Claimed::read(received)?;
    check_all_signed(received, &claimed.signed)?;
    check_date(received.header("x-acs-date"), now)?;
    let key = key.ok_or_else(|| {
        ApiError::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    })?;
    if key.disabled {
        return Err(ApiError::new(
            400,
            "InvalidAccessKeyId.Inactive",
            "The specified access key is inactive.",
        ));
    }
    check_token(received, key, now)?;
    check_signature(received, &claimed, key)
}

/// The parts of `Authorization`.
struct Claimed<'a> {
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claimed<'a> {
    fn read(received: &Received<'a>) -> Result<Self, ApiError> {
        let header = received.header("authorization");
        let parts = header.strip_prefix(sign::ALGORITHM).ok_or_else(|| incomplete("Authorization"))?;
        let part = |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name));
        let signed = part("SignedHeaders=").ok_or_else(|| incomplete("SignedHeaders"))?;
        let signature = part("Signature=").ok_or_else(|| incomplete("Signature"))?;
        Ok(Self { signed: signed.split(';').collect(), signature })
    }
}

fn incomplete(what: &str) -> ApiError {
    let message = format!("The request signature does not conform to Aliyun standards: {what}.");
    ApiError::new(400, "IncompleteSignature", message)
}

/// The host, the type of a body and everything of the cloud's own must be covered.
fn check_all_signed(received: &Received<'_>, signed: &[&str]) -> Result<(), ApiError> {
    for needed in
        ["x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"]
    {
        if received.header(needed).is_empty() {
            return Err(incomplete(needed));
        }
    }
    for name in received.headers.keys().map(hyper::header::HeaderName::as_str) {
        let must = name == "host" || name == "content-type" || name.starts_with("x-acs-");
        if must && !signed.contains(&name) {
            return Err(incomplete(name));
        }
    }
    Ok(())
}

fn check_date(date: &str, now: DateTime<Utc>) -> Result<(), ApiError> {
    let well_formed = date.len() == 20 && date.ends_with('Z');
    let at = DateTime::parse_from_rfc3339(date).ok().filter(|_| well_formed);
    let at = at.ok_or_else(|| {
        ApiError::new(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        )
    })?;
    if (at.to_utc() - now).abs() > TOLERANCE {
        let message = "Specified time stamp or date value is expired.";
        return Err(ApiError::new(400, "InvalidTimeStamp.Expired", message));
    }
    Ok(())
}

fn check_token(received: &Received<'_>, key: &Key, now: DateTime<Utc>) -> Result<(), ApiError> {
    let sent = received.headers.get("x-acs-security-token").map(|value| value.to_str().unwrap_or_default());
    let problem = match (&key.token, sent) {
        (Some(_), None) => "MissingSecurityToken",
        (_, Some("")) => "InvalidSecurityToken.Malformed",
        (None, Some(_)) => "InvalidSecurityToken.MismatchWithAccessKey",
        (Some(token), Some(sent)) if *token.text != *sent => "InvalidSecurityToken.MismatchWithAccessKey",
        (Some(token), _) if token.expires <= now => "InvalidSecurityToken.Expired",
        (None, None) | (Some(_), Some(_)) => return Ok(()),
    };
    Err(ApiError::new(400, problem, "Specified SecurityToken is not accepted."))
}

fn check_signature(received: &Received<'_>, claimed: &Claimed<'_>, key: &Key) -> Result<(), ApiError> {
    let query = sign::canonical_query(&received.query);
    let headers: Vec<_> = claimed.signed.iter().map(|name| (*name, received.header(name))).collect();
    let hash = sign::payload_hash(received.body);
    let request = sign::SignRequest::new(received.method, received.path, &query, &headers, &hash);
    let canonical = request.canonical_request();
    let to_sign = sign::string_to_sign(&canonical);
    let fits = hmac_sha256_hex(&key.secret, &to_sign) == claimed.signature;
    if fits && received.header("x-acs-content-sha256") == hash {
        return Ok(());
    }
    // The real cloud echoes this too: with temporary credentials the text holds the security token.
    let message = format!(
        "Specified signature does not match our calculation. server StringToSign is [{to_sign}] \
         server CanonicalRequest is [{canonical}]"
    );
    Err(ApiError::new(400, "SignatureDoesNotMatch", message))
}

/// The nonces of the last while.
#[derive(Default)]
pub(super) struct Nonces {
    hasher: RandomState,
    recent: HashSet<u64>,
    earlier: HashSet<u64>,
    since: DateTime<Utc>,
}

impl Nonces {
    /// Whether this key has not used the nonce yet. Remembered for as long as a date can be accepted at all.
    pub(super) fn take(&mut self, key_id: &str, nonce: &str, now: DateTime<Utc>) -> Result<(), ApiError> {
        if (now - self.since).abs() > TOLERANCE * 2 {
            self.earlier = std::mem::take(&mut self.recent);
            self.since = now;
        }
        let hash = self.hasher.hash_one((key_id, nonce));
        if self.earlier.contains(&hash) || !self.recent.insert(hash) {
            return Err(ApiError::new(
                400,
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_as_long_as_its_date() {
        let mut nonces = Nonces::default();
        let start: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        for (name, key, nonce, minutes, fresh) in [
            ("first", "k1", "n", 0, true),
            ("again", "k1", "n", 1, false),
            ("of another key", "k2", "n", 1, true),
            ("again after the memory turned over", "k1", "n", 31, false),
            ("when no date could be that old", "k1", "n", 62, true),
        ] {
            let taken = nonces.take(key, nonce, start + TimeDelta::minutes(minutes));
            assert_eq!(taken.is_ok(), fresh, "{name}");
            nonces.take("other", &format!("{minutes}{name}"), start + TimeDelta::minutes(minutes)).unwrap();
        }
    }

    #[test]
    fn a_date_is_checked_for_form_and_age() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        for (name, date, want) in [
            ("right", "2026-11-22T12:00:00Z", None),
            ("fifteen minutes old", "2026-11-22T11:45:00Z", None),
            ("older", "2026-11-22T11:44:59Z", Some("InvalidTimeStamp.Expired")),
            ("ahead", "2026-11-22T12:15:01Z", Some("InvalidTimeStamp.Expired")),
            ("with a fraction", "2026-11-22T12:00:00.5Z", Some("InvalidTimeStamp.Format")),
            ("with an offset", "2026-11-22T20:00:00+08:00", Some("InvalidTimeStamp.Format")),
            ("none", "", Some("InvalidTimeStamp.Format")),
        ] {
            let code = check_date(date, now).err().map(|error| error.code);
            assert_eq!(code.as_deref(), want, "{name}");
        }
    }
}
