//! Checks who is calling, by recomputing the signature from what really arrived.

use chrono::{DateTime, Utc};

use super::account::Key;
use super::error::ApiError;
use super::request::Received;

/// Everything about the key; a right one says nothing yet about rights.
pub(super) fn verify(received: &Received, key: Option<&Key>, now: DateTime<Utc>) -> Result<(), ApiError> {
    let signature = received.get("Signature").filter(|text| !text.is_empty());
    let signature = signature.ok_or_else(|| ApiError::new(170, "Missing Signature"))?;
    let key = key.filter(|key| !key.disabled).ok_or_else(|| ApiError::new(172, "User Not Exists"))?;
    let sent = received.get("SecurityToken");
    let token_fits = match (&key.token, sent.as_deref()) {
        (Some(token), Some(sent)) => *token.text == *sent && token.expires > now,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !token_fits {
        return Err(ApiError::new(174, "Token Not Exists"));
    }
    if received.signature(&key.private) == signature {
        Ok(())
    } else {
        Err(ApiError::new(171, "Signature VerifyAC Error"))
    }
}
