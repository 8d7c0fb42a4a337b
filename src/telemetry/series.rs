//! The families that are counted here, and how a series of one is made and entered into the registry.
//!
//! Each series is a metric of its own whose labels are constant, and none is a row of one of the crate's `Vec` types:
//! those (0.14) tell rows apart by a hash over the label values without a mark between them, so that account `a` with
//! project `bc` counts for account `ab` with project `c` too. The registry's own hash has that mark.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, Opts, Registry};
use tracing::error;

/// What is declared of a family; its labels are in `metrics::catalogue`, which describes the whole page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// The name, base unit included.
    pub name: &'static str,
    /// One sentence: what the value means.
    pub help: &'static str,
}

/// Rounds over a scope.
pub const SCOPE_ROUNDS: Series = Series {
    name: "notafter_scope_rounds_total",
    help: "Listings of the scope in the background that ended, good and bad.",
};
/// Failures in a scope, by reason.
pub const SCOPE_ERRORS: Series = Series {
    name: "notafter_scope_errors_total",
    help: "Failures in the scope, of its listing or of a look at one of its resources, in the background polling.",
};
/// Calls.
pub const API_REQUESTS: Series = Series {
    name: "notafter_api_requests_total",
    help: "Calls to the cloud by the background polling that ended, good and bad.",
};
/// Calls that failed, by reason.
pub const API_ERRORS: Series = Series {
    name: "notafter_api_request_errors_total",
    help: "Calls to the cloud by the background polling that failed.",
};
/// How long calls took.
pub const API_DURATION: Series = Series {
    name: "notafter_api_request_duration_seconds",
    help: "How long calls to the cloud by the background polling took, good and bad.",
};

/// Attempts to say something.
pub const NOTIFICATIONS: Series = Series {
    name: "notafter_notifications_total",
    help: "Attempts to send a message through the channel that ended, good and bad.",
};
/// Attempts that failed, by reason.
pub const NOTIFICATIONS_FAILED: Series = Series {
    name: "notafter_notifications_failed_total",
    help: "Attempts to send a message through the channel that failed.",
};
/// Calls of the heartbeat's address that failed.
pub const HEARTBEAT_FAILURES: Series = Series {
    name: "notafter_heartbeat_failures_total",
    help: "Calls of the configured heartbeat address that failed; absent where none is configured.",
};

/// Renewals that ended.
pub const RENEWALS: Series = Series {
    name: "notafter_renewals_total",
    help: "Renewals that ended, good and bad: confirmed by a later end, refused by the cloud, or without effect.",
};
/// Renewals that failed, by reason.
pub const RENEWALS_FAILED: Series =
    Series { name: "notafter_renewals_failed_total", help: "Renewals that ended without a later end." };
/// Renewals that are not begun, by reason.
pub const RENEWALS_REFUSED: Series = Series {
    name: "notafter_renewals_refused_total",
    help: "How many times it began that a certificate is not renewed now for this reason; while it stays so, it counts once.",
};

/// Upper bounds of the buckets of durations, in seconds: steps that matter to one who sets a time limit.
const BOUNDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0];

/// Names and values of the labels of one series.
pub(super) type Labels<'l> = &'l [(&'static str, &'l str)];

/// A counter at 0, on the page from now on.
pub(super) fn counter(registry: &Registry, series: Series, labels: Labels<'_>) -> IntCounter {
    let opts = Opts::new(series.name, series.help);
    let opts = labels.iter().fold(opts, |opts, (name, value)| opts.const_label(*name, *value));
    let counter = IntCounter::with_opts(opts).expect("names that are fixed here can be used");
    enter(registry, series, &counter);
    counter
}

/// A histogram without durations, on the page from now on.
pub(super) fn histogram(registry: &Registry, series: Series, labels: Labels<'_>) -> Histogram {
    let opts = HistogramOpts::new(series.name, series.help).buckets(BOUNDS.into());
    let opts = labels.iter().fold(opts, |opts, (name, value)| opts.const_label(*name, *value));
    let histogram = Histogram::with_opts(opts).expect("names and bounds that are fixed here can be used");
    enter(registry, series, &histogram);
    histogram
}

/// Sorts a duration into its bucket.
pub(super) fn observe(histogram: &Histogram, took: Duration) {
    histogram.observe(took.as_secs_f64());
}

/// Takes a series off the page.
pub(super) fn remove<C: Collector + Clone + 'static>(registry: &Registry, metric: &C) {
    if let Err(error) = registry.unregister(Box::new(metric.clone())) {
        error!(%error, "a series could not be taken off the metrics page");
    }
}

/// The registry knows a series by 64 bits of hash. Should two ever share them, the second one counts unseen.
fn enter<C: Collector + Clone + 'static>(registry: &Registry, series: Series, metric: &C) {
    if let Err(error) = registry.register(Box::new(metric.clone())) {
        error!(%error, name = series.name, "a series is missing on the metrics page");
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    fn buckets(histogram: &Histogram) -> String {
        TextEncoder::new().encode_to_string(&histogram.collect()).expect("text")
    }

    #[test]
    fn a_duration_counts_for_every_bound_that_it_does_not_exceed() {
        for (name, millis, first_bound) in [
            ("at once", 0, "0.025"),
            ("exactly a bound", 25, "0.025"),
            ("just over a bound", 26, "0.05"),
            ("at the time limit", 15_000, "15"),
            ("beyond it", 15_001, "+Inf"),
        ] {
            let histogram = histogram(&Registry::new(), API_DURATION, &[("action", "x")]);
            observe(&histogram, Duration::from_millis(millis));
            let text = buckets(&histogram);
            let first = text.lines().find(|line| line.contains("_bucket{") && line.ends_with(" 1"));
            let want = format!(
                "notafter_api_request_duration_seconds_bucket{{action=\"x\",le=\"{first_bound}\"}} 1"
            );
            assert_eq!(first, Some(&*want), "{name}");
            assert!(text.contains("le=\"+Inf\"} 1\n"), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_taken_counts_unseen_and_stops_nothing() {
        let registry = Registry::new();
        let first = counter(&registry, SCOPE_ROUNDS, &[("reason", "x")]);
        let second = counter(&registry, SCOPE_ROUNDS, &[("reason", "x")]);
        first.inc();
        second.inc_by(5);
        assert!((registry.gather()[0].get_metric()[0].get_counter().get_value() - 1.0).abs() < 0.1);
    }
}
