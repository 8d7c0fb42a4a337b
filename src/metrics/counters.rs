//! What the daemon counts, and what it allows itself.

use std::collections::HashSet;

use bytes::BytesMut;

use super::catalogue::{
    API_DURATION, API_ERRORS, API_RATE_LIMIT, API_REQUESTS, Family, HEARTBEAT_FAILURES, NOTIFICATIONS,
    NOTIFICATIONS_FAILED, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED, SCOPE_ERRORS, SCOPE_ROUNDS,
};
use super::{RateLimit, text};
use crate::domain::identity::Scope;
use crate::telemetry::Text;

/// The families that are counted, in the order of the page; the rate limits stand between the two.
const CALLS: [Family; 5] = [SCOPE_ROUNDS, SCOPE_ERRORS, API_REQUESTS, API_ERRORS, API_DURATION];
const DEEDS: [Family; 6] =
    [NOTIFICATIONS, NOTIFICATIONS_FAILED, HEARTBEAT_FAILURES, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED];

/// Those of them that are counted for each scope.
const OF_SCOPES: [Family; 5] = [SCOPE_ROUNDS, SCOPE_ERRORS, RENEWALS, RENEWALS_FAILED, RENEWALS_REFUSED];

/// Writes all families of counters, and the rate limits.
pub(super) fn write(out: &mut BytesMut, counted: &Text, rate_limits: &[RateLimit]) {
    write_counted(out, counted, &CALLS);
    write_rate_limits(out, rate_limits);
    write_counted(out, counted, &DEEDS);
}

/// Writes those that are not of scopes.
pub(super) fn write_of_daemon(out: &mut BytesMut, counted: &Text, rate_limits: &[RateLimit]) {
    let others = |families: &[Family]| -> Vec<Family> {
        families.iter().filter(|family| !OF_SCOPES.contains(family)).copied().collect()
    };
    write_counted(out, counted, &others(&CALLS));
    write_rate_limits(out, rate_limits);
    write_counted(out, counted, &others(&DEEDS));
}

/// Writes those of scopes, of these scopes.
pub(super) fn write_of_scopes<'s>(
    out: &mut BytesMut,
    counted: &Text,
    scopes: impl Iterator<Item = &'s Scope>,
) {
    let wanted: HashSet<Vec<u8>> = scopes.map(labels_by_name).collect();
    for family in &OF_SCOPES {
        text::header(out, family);
        let lines = counted.of(family.name).unwrap_or_default().split_inclusive('\n');
        for line in lines {
            if labels_of(line, family.name).is_some_and(|labels| wanted.contains(labels.as_bytes())) {
                out.extend_from_slice(line.as_bytes());
            }
        }
    }
}

/// The labels of the scope in a line as `telemetry` writes it: by name, and with a reason behind them where there is one.
fn labels_of<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (labels, _) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("\"} ")?;
    // a quote within a value has a backslash before it, so this is a label and no part of one
    let scope = labels.rsplit_once("\",reason=\"").map_or(labels, |(scope, _)| scope);
    Some(scope)
}

/// The labels of a scope in the same form, without the last quote.
fn labels_by_name(scope: &Scope) -> Vec<u8> {
    let mut labels = scope.labels();
    labels.sort_unstable();
    let mut out = BytesMut::new();
    for (name, value) in labels {
        if !out.is_empty() {
            out.extend_from_slice(b",");
        }
        text::label(&mut out, name, value);
    }
    out.truncate(out.len() - 1);
    out.to_vec()
}

fn write_rate_limits(out: &mut BytesMut, rate_limits: &[RateLimit]) {
    text::header(out, &API_RATE_LIMIT);
    for limit in rate_limits {
        write_rate_limit(out, limit);
    }
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
