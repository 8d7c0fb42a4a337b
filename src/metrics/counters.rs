//! What the daemon counts, and what it allows itself.

use bytes::BytesMut;

use super::catalogue::{
    API_DURATION, API_ERRORS, API_RATE_LIMIT, API_REQUESTS, Family, HEARTBEAT_FAILURES, NOTIFICATIONS,
    NOTIFICATIONS_FAILED, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED, SCOPE_ERRORS, SCOPE_ROUNDS,
};
use super::{RateLimit, text};
use crate::telemetry::Text;

/// The families that are counted, in the order of the page; the rate limits stand between the two.
const CALLS: [Family; 5] = [SCOPE_ROUNDS, SCOPE_ERRORS, API_REQUESTS, API_ERRORS, API_DURATION];
const DEEDS: [Family; 6] =
    [NOTIFICATIONS, NOTIFICATIONS_FAILED, HEARTBEAT_FAILURES, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED];

/// Writes all families of counters, and the rate limits.
pub(super) fn write(out: &mut BytesMut, counted: &Text, rate_limits: &[RateLimit]) {
    write_counted(out, counted, &CALLS);
    text::header(out, &API_RATE_LIMIT);
    for limit in rate_limits {
        write_rate_limit(out, limit);
    }
    write_counted(out, counted, &DEEDS);
}

fn write_counted(out: &mut BytesMut, counted: &Text, families: &[Family]) {
    for family in families {
        match counted.of(family.name) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => text::header(out, family),
        }
    }
}

fn write_rate_limit(out: &mut BytesMut, limit: &RateLimit) {
    let labels = [
        ("cloud_provider", &*limit.provider),
        ("cloud_account", &*limit.account),
        ("cloud_region", &*limit.region),
        ("action", &*limit.action),
    ];
    text::sample(out, API_RATE_LIMIT.name, &labels, |out| text::float(out, limit.per_second));
}
