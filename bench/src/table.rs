//! Medians, and the rows that end up in `BENCHMARKS.md`.

use std::time::Duration;

/// The middle one. Medians and not means, because other programs share the machine.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The smallest one that so many of a hundred do not exceed.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// Milliseconds, as all times of the tables.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// One row: which goal, what was measured, the figure.
pub fn row(goal: &str, what: &str, figure: &str) {
    println!("| {goal} | {what} | {figure} |");
}

/// A row with its verdict: whether the figure is within the limit.
pub fn verdict(goal: &str, what: &str, value: f64, limit: f64, unit: &str) {
    let word = if value <= limit { "met" } else { "**missed**" };
    row(goal, what, &format!("{} {unit}, limit {} {unit}: {word}", short(value), short(limit)));
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.01 => format!("{value:.4}"),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
