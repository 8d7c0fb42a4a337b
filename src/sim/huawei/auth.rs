//! Checks who is calling, by recomputing the signature from what really arrived, and locks a key that fails too often.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::error::ApiError;
use super::request::{Action, Received};
use crate::provider::digest::hmac_sha256_hex;
use crate::provider::huawei::sign;
use crate::sim::alibaba::{Key, Text};

/// How far the clocks may be apart.
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);
/// More failures in a row than this lock the key.
const FAILURES: u32 = 5;
/// For so long.
const LOCKED: TimeDelta = TimeDelta::minutes(5);

/// Everything about one request's key.
pub(super) fn verify(received: &Received<'_>, key: Option<&Key>, now: DateTime<Utc>) -> Result<(), ApiError> {
    let claimed = Claimed::read(received)?;
    check_all_signed(received, &claimed.signed)?;
    check_date(received.header("x-sdk-date"), now)?;
    let unknown =
        || ApiError::key(&format!("Get secretKey failed,ak:{},err:ak not exist", received.key_id()));
    let key = key.ok_or_else(unknown)?;
    if key.disabled {
        return Err(ApiError::new(403, "IAM.0081", "The user or the access key is disabled."));
    }
    let sent = received.header("x-security-token");
    match &key.token {
        // A temporary key without its token is as good as unknown.
        Some(_) if sent.is_empty() => return Err(unknown()),
        Some(token) if token.expires <= now => return Err(expired()),
        Some(token) if *token.text != *sent => return Err(ApiError::key("decrypt token fail")),
        None if !sent.is_empty() => return Err(ApiError::key("decrypt token fail")),
        Some(_) | None => {}
    }
    check_signature(received, &claimed, key)
}

/// The parts of `Authorization`.
struct Claimed<'a> {
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claimed<'a> {
    fn read(received: &Received<'a>) -> Result<Self, ApiError> {
        let header = received.header("authorization").strip_prefix(sign::ALGORITHM);
        let parts = header.ok_or_else(|| ApiError::key("x-auth-token not found"))?;
        let part = |name: &str| parts.split(", ").find_map(|part| part.trim().strip_prefix(name));
        let both = part("SignedHeaders=").zip(part("Signature="));
        let (signed, signature) = both.ok_or_else(|| ApiError::key("verify aksk signature fail"))?;
        Ok(Self { signed: signed.split(';').collect(), signature })
    }
}

/// Host and date must be covered, and so must project and token wherever they are sent; a regional call names its
/// project in the header too.
fn check_all_signed(received: &Received<'_>, signed: &[&str]) -> Result<(), ApiError> {
    let sent = |name: &str| !received.header(name).is_empty();
    let optional = ["x-project-id", "x-security-token"].into_iter().filter(|name| sent(name));
    let covered = ["host", "x-sdk-date"].into_iter().chain(optional).all(|name| signed.contains(&name));
    let regional = matches!(received.action, Action::List | Action::Ssl | Action::Download);
    let named =
        if regional { received.header("x-project-id") == received.project } else { !sent("x-project-id") };
    if covered && named { Ok(()) } else { Err(ApiError::key("verify aksk signature fail")) }
}

fn check_date(date: &str, now: DateTime<Utc>) -> Result<(), ApiError> {
    let at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| expired())?.and_utc();
    if (at - now).abs() > TOLERANCE { Err(expired()) } else { Ok(()) }
}

fn expired() -> ApiError {
    ApiError::key("calc ak sk signature fail:signature expired")
}

fn check_signature(received: &Received<'_>, claimed: &Claimed<'_>, key: &Key) -> Result<(), ApiError> {
    let query = sign::canonical_query(&received.query);
    let headers: Vec<_> = claimed.signed.iter().map(|name| (*name, received.header(name))).collect();
    let kind = received.parts.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    let hash = sign::payload_hash(kind, received.body);
    let (method, path) = (received.parts.method.as_str(), received.parts.uri.path());
    let canonical = sign::SignRequest::new(method, path, &query, &headers, &hash).canonical_request();
    let to_sign = sign::string_to_sign(&canonical, received.header("x-sdk-date"));
    let in_order = claimed.signed.is_sorted();
    if in_order && hmac_sha256_hex(&key.secret, &to_sign) == claimed.signature {
        return Ok(());
    }
    // An older form of the message, which shows the token that was signed.
    let echo = canonical.replace('\n', "|");
    Err(ApiError::key(&format!("verify aksk signature fail, canonicalRequest:{echo}")))
}

/// Failures in a row, by AK.
#[derive(Default)]
pub(super) struct Locks(HashMap<Text, (u32, DateTime<Utc>)>);

impl Locks {
    /// Refuses a key that is locked, whoever uses it and however well.
    pub(super) fn check(&self, key_id: &str, now: DateTime<Utc>) -> Result<(), ApiError> {
        match self.0.get(key_id) {
            Some((_, until)) if now < *until => {
                Err(ApiError::key("AK access failed to reach the limit,forbidden"))
            }
            _ => Ok(()),
        }
    }

    /// Counts how a verification ended.
    pub(super) fn note(&mut self, key_id: &str, good: bool, now: DateTime<Utc>) {
        if good {
            self.0.remove(key_id);
            return;
        }
        let (failures, until) = self.0.entry(key_id.into()).or_insert((0, DateTime::<Utc>::MIN_UTC));
        *failures += 1;
        if *failures > FAILURES {
            (*failures, *until) = (0, now + LOCKED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_failure_in_a_row_locks_for_five_minutes() {
        let (mut locks, now) = (Locks::default(), "2026-11-22T12:00:00Z".parse().unwrap());
        for _ in 0..5 {
            locks.note("ak", false, now);
        }
        assert!(locks.check("ak", now).is_ok());
        locks.note("ak", false, now);
        assert!(locks.check("ak", now).is_err());
        assert!(locks.check("other", now).is_ok());
        assert!(locks.check("ak", now + TimeDelta::minutes(5)).is_ok());
    }
}
