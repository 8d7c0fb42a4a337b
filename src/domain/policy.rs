//! What the operator asked for, as plain values; `config` fills them.

use std::time::Duration;

/// How often to look. From `[poll]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollPolicy {
    /// While the cloud answers, no certificate's data is older than this.
    pub max_age: Duration,
    /// No resource is looked at more often than this.
    pub min_interval: Duration,
    /// Each scope is listed this often.
    pub discover_every: Duration,
    /// One API call, connect to last byte.
    pub timeout: Duration,
    /// Calls in flight, in all.
    pub concurrency: usize,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(6),
            min_interval: Duration::from_mins(10),
            discover_every: Duration::from_hours(1),
            timeout: Duration::from_secs(15),
            concurrency: 64,
        }
    }
}

/// How close to its end a certificate becomes worth telling. From `[alert] thresholds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Worth knowing.
    pub info: Duration,
    /// Worth planning.
    pub warning: Duration,
    /// Worth waking somebody.
    pub critical: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        let days = |n: u64| Duration::from_hours(24 * n);
        Self { info: days(30), warning: days(14), critical: days(7) }
    }
}
