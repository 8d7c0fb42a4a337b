//! How urgent a certificate is right now, without memory.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::policy::Thresholds;
use super::resource::{Certificate, Resource};

/// How close to its end a certificate is. Deeper stages are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing to do.
    Ok,
    /// Worth knowing.
    Info,
    /// Worth planning.
    Warning,
    /// Worth waking somebody.
    Critical,
    /// Over: every client that verifies it fails.
    Expired,
}

impl Stage {
    /// Every stage, deepest last.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Info, Self::Warning, Self::Critical, Self::Expired];

    /// The word used on the page and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Expired => "expired",
        }
    }
}

/// The stage of a certificate.
///
/// For a short-lived certificate a threshold is at most a third, a sixth and a twelfth of its life, so that one of 47
/// days is not "about to end" for most of it.
pub fn stage(certificate: &Certificate, thresholds: &Thresholds, now: DateTime<Utc>) -> Stage {
    let Ok(left) = (certificate.not_after - now).to_std() else { return Stage::Expired };
    let life = certificate.not_before.and_then(|begin| (certificate.not_after - begin).to_std().ok());
    let within =
        |threshold: Duration, share: u32| left <= life.map_or(threshold, |life| threshold.min(life / share));
    match () {
        () if left.is_zero() => Stage::Expired,
        () if within(thresholds.critical, 12) => Stage::Critical,
        () if within(thresholds.warning, 6) => Stage::Warning,
        () if within(thresholds.info, 3) => Stage::Info,
        () => Stage::Ok,
    }
}

/// The deepest stage among the certificates of a resource; `None` while none is known.
pub fn resource_stage(resource: &Resource, thresholds: &Thresholds, now: DateTime<Utc>) -> Option<Stage> {
    resource.certificates().iter().map(|certificate| stage(certificate, thresholds, now)).max()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::{certificate, moment};

    #[test]
    fn stages_begin_exactly_at_their_threshold_in_seconds() {
        let day = 86_400;
        for (name, seconds_left, want) in [
            ("a year", 365 * day, Stage::Ok),
            ("a second before info", 30 * day + 1, Stage::Ok),
            ("info", 30 * day, Stage::Info),
            ("warning", 14 * day, Stage::Warning),
            ("a second before critical", 7 * day + 1, Stage::Warning),
            ("critical", 7 * day, Stage::Critical),
            ("the last second", 1, Stage::Critical),
            ("over", 0, Stage::Expired),
            ("long over", -day, Stage::Expired),
        ] {
            let certificate = certificate(moment() + TimeDelta::seconds(seconds_left));
            assert_eq!(stage(&certificate, &Thresholds::default(), moment()), want, "{name}");
        }
    }

    #[test]
    fn a_short_life_shortens_the_thresholds() {
        for (name, life, left_hours, want) in [
            ("47 days, 16 left", 47, 16 * 24, Stage::Ok),
            ("47 days, 15 left", 47, 15 * 24, Stage::Info),
            ("47 days, 7 left", 47, 7 * 24, Stage::Warning),
            ("47 days, 3 left", 47, 3 * 24, Stage::Critical),
            ("6 days, 13 hours left", 6, 13, Stage::Warning),
            ("6 days, 12 hours left", 6, 12, Stage::Critical),
        ] {
            let mut certificate = certificate(moment() + TimeDelta::hours(left_hours));
            certificate.not_before = Some(certificate.not_after - TimeDelta::days(life));
            assert_eq!(stage(&certificate, &Thresholds::default(), moment()), want, "{name}");
        }
    }
}
