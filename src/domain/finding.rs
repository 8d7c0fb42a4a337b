//! How urgent a certificate is right now, without memory.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
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
    let left = certificate.not_after - now;
    let within = |stage: &&Stage| left <= threshold(certificate, thresholds, **stage);
    *Stage::ALL.iter().rev().find(within).unwrap_or(&Stage::Ok)
}

/// When a certificate enters a stage, or entered it.
pub fn entered_at(certificate: &Certificate, thresholds: &Thresholds, stage: Stage) -> DateTime<Utc> {
    let before = threshold(certificate, thresholds, stage);
    certificate.not_after.checked_sub_signed(before).unwrap_or(DateTime::UNIX_EPOCH)
}

/// How long before its end a certificate enters a stage.
fn threshold(certificate: &Certificate, thresholds: &Thresholds, stage: Stage) -> TimeDelta {
    let life = certificate.not_before.map(|begin| certificate.not_after - begin);
    let life = life.filter(|life| *life >= TimeDelta::zero());
    let at_most = |threshold: Duration, share: i32| {
        let threshold = TimeDelta::from_std(threshold).unwrap_or(TimeDelta::MAX);
        life.map_or(threshold, |life| threshold.min(life / share))
    };
    match stage {
        Stage::Ok => TimeDelta::MAX,
        Stage::Info => at_most(thresholds.info, 3),
        Stage::Warning => at_most(thresholds.warning, 6),
        Stage::Critical => at_most(thresholds.critical, 12),
        Stage::Expired => TimeDelta::zero(),
    }
}

/// The deepest stage among the certificates of a resource; `None` while none is known.
pub fn resource_stage(resource: &Resource, thresholds: &Thresholds, now: DateTime<Utc>) -> Option<Stage> {
    resource.certificates().iter().map(|certificate| stage(certificate, thresholds, now)).max()
}

#[cfg(test)]
mod tests {
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
    fn a_stage_was_entered_when_its_threshold_was_crossed() {
        let mut certificate = certificate(moment());
        certificate.not_before = Some(moment() - TimeDelta::days(60));
        for short_lived in [false, true] {
            certificate.not_before = certificate.not_before.filter(|_| short_lived);
            for deeper in &Stage::ALL[1..] {
                let at = entered_at(&certificate, &Thresholds::default(), *deeper);
                let before = at - TimeDelta::seconds(1);
                assert_eq!(stage(&certificate, &Thresholds::default(), at), *deeper, "{deeper:?}");
                assert!(stage(&certificate, &Thresholds::default(), before) < *deeper, "{deeper:?}");
            }
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
