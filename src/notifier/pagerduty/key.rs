//! The keys by which PagerDuty recognises what it knows already (`dedup_key`).
//!
//! A key is made of what never changes while an incident is open, so the end of it finds its beginning after restarts
//! and changes of names. Changing how a key is made would leave open incidents behind.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};

use crate::domain::alert::message::{CertificateFacts, SourceItem};

/// Of a certificate that ends then.
pub fn expiry(facts: &CertificateFacts, not_after: DateTime<Utc>) -> String {
    let epoch = not_after.timestamp().to_string();
    key(&[
        &facts.provider,
        &facts.account,
        &facts.project,
        &facts.region,
        &facts.service,
        &facts.resource_id,
        &facts.role,
        &epoch,
        "expiry",
    ])
}

/// Of a certificate that has ended then: somebody who acknowledged "7 days" is called again.
pub fn expired(facts: &CertificateFacts, not_after: DateTime<Utc>) -> String {
    expiry(facts, not_after) + ":expired"
}

/// Of a source that cannot be read.
pub fn blind(source: &SourceItem) -> String {
    key(&[&source.provider, &source.account, &source.reason, "blind"])
}

/// Of a channel that does not deliver.
pub fn channel(name: &str) -> String {
    key(&[name, "channel"])
}

/// Of many certificates at once, or of a test: there is one for each message.
pub fn message(id: &str) -> String {
    key(&[id, "message"])
}

/// Each part ends with a byte that no text holds.
fn key(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(&[0xff]);
    }
    format!("notafter:{}", hex::encode(context.finish()))
}
