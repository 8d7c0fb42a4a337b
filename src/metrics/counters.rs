//! What the daemon counts, and what it allows itself.

use bytes::BytesMut;

use super::catalogue::{
    API_DURATION, API_ERRORS, API_RATE_LIMIT, API_REQUESTS, Family, SCOPE_ERRORS, SCOPE_ROUNDS,
};
use super::{RateLimit, text};
use crate::telemetry::{Action, Call, Histogram, Telemetry};

/// Writes all families of counters, and the rate limits.
pub(super) fn write(out: &mut BytesMut, telemetry: &Telemetry, rate_limits: &[RateLimit]) {
    text::header(out, &SCOPE_ROUNDS);
    telemetry.each_scope(|scope, tally| {
        count(out, SCOPE_ROUNDS.name, &text::scope_pairs(scope), tally.total());
    });
    text::header(out, &SCOPE_ERRORS);
    telemetry.each_scope(|scope, tally| {
        let [provider, account, project, region, service] = text::scope_pairs(scope);
        for (reason, failed) in tally.failed() {
            let labels = [provider, account, project, region, service, ("reason", reason.as_str())];
            count(out, SCOPE_ERRORS.name, &labels, failed);
        }
    });
    text::header(out, &API_REQUESTS);
    telemetry.each_call(|call, tally| count(out, API_REQUESTS.name, &pairs(call), tally.total()));
    text::header(out, &API_ERRORS);
    telemetry.each_call(|call, tally| {
        let [provider, account, action] = pairs(call);
        for (reason, failed) in tally.failed() {
            count(out, API_ERRORS.name, &[provider, account, action, ("reason", reason.as_str())], failed);
        }
    });
    text::header(out, &API_DURATION);
    telemetry.each_duration(|action, histogram| write_duration(out, action, histogram));
    text::header(out, &API_RATE_LIMIT);
    for limit in rate_limits {
        write_rate_limit(out, limit);
    }
}

fn write_duration(out: &mut BytesMut, action: &Action, histogram: &Histogram) {
    let Family { name, .. } = API_DURATION;
    let [provider, action] = [("cloud_provider", &*action.provider), ("action", &*action.action)];
    let bucket = format!("{name}_bucket");
    let mut all = 0;
    for (bound, below) in histogram.cumulative() {
        count(out, &bucket, &[provider, action, ("le", bound)], below);
        all = below;
    }
    let sum = histogram.sum();
    text::sample(out, &format!("{name}_sum"), &[provider, action], |out| text::seconds(out, sum));
    // Not read again: `_count` has to equal the last bucket even while calls come in.
    count(out, &format!("{name}_count"), &[provider, action], all);
}

fn count(out: &mut BytesMut, name: &str, labels: &[(&str, &str)], value: u64) {
    text::sample(out, name, labels, |out| text::integer(out, value));
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

fn pairs(call: &Call) -> [(&'static str, &str); 3] {
    [("cloud_provider", &call.provider), ("cloud_account", &call.account), ("action", &call.action)]
}
