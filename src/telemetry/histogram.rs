//! How long calls take, in steps that matter to one who sets a time limit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in seconds as they are written (label `le`), and as durations.
pub const BOUNDS: [(&str, Duration); 10] = [
    ("0.025", Duration::from_millis(25)),
    ("0.05", Duration::from_millis(50)),
    ("0.1", Duration::from_millis(100)),
    ("0.25", Duration::from_millis(250)),
    ("0.5", Duration::from_millis(500)),
    ("1", Duration::from_secs(1)),
    ("2.5", Duration::from_millis(2500)),
    ("5", Duration::from_secs(5)),
    ("10", Duration::from_secs(10)),
    ("15", Duration::from_secs(15)),
];

/// Durations, sorted into buckets as they come.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One more than there are bounds: the last one takes what is longer than all of them.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    /// The sum of all durations.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    /// For each bound how many were not longer, and at the end, under `+Inf`, how many there are.
    pub fn cumulative(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let bounds = BOUNDS.iter().map(|(text, _)| *text).chain(["+Inf"]);
        bounds.zip(&self.buckets).scan(0, |below, (bound, bucket)| {
            *below += bucket.load(Ordering::Relaxed);
            Some((bound, *below))
        })
    }

    pub(super) fn observe(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|(_, bound)| *bound < took);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_for_every_bound_that_it_does_not_exceed() {
        for (name, millis, first_bound) in [
            ("at once", 0, "0.025"),
            ("exactly a bound", 25, "0.025"),
            ("just over a bound", 26, "0.05"),
            ("at the time limit", 15_000, "15"),
            ("beyond it", 15_001, "+Inf"),
        ] {
            let histogram = Histogram::default();
            histogram.observe(Duration::from_millis(millis));
            let first = histogram.cumulative().find(|&(_, count)| count == 1).map(|(bound, _)| bound);
            assert_eq!(first, Some(first_bound), "{name}");
            assert_eq!(histogram.cumulative().last(), Some(("+Inf", 1)), "{name}");
            assert_eq!(histogram.sum(), Duration::from_millis(millis), "{name}");
        }
    }

    #[test]
    fn the_bounds_are_written_as_they_are() {
        for (text, bound) in BOUNDS {
            assert_eq!(text.parse::<f64>().map(Duration::from_secs_f64), Ok(bound), "{text}");
        }
        assert!(BOUNDS.is_sorted_by_key(|(_, bound)| *bound));
    }
}
