//! Moments as the page writes them.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

/// A moment for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// RFC 3339, for the attribute `datetime`.
    pub iso: String,
    /// Date and time of day in UTC.
    pub utc: String,
    /// The same in the configured zone, with its offset; `None` where that is UTC as well.
    pub local: Option<String>,
}

impl Stamp {
    /// Writes a moment.
    pub fn new(moment: DateTime<Utc>, zone: Tz) -> Self {
        let local = (zone != Tz::UTC).then(|| {
            let local = moment.with_timezone(&zone);
            local.format("%Y-%m-%d %H:%M %:z").to_string()
        });
        Self {
            iso: moment.to_rfc3339_opts(SecondsFormat::Secs, true),
            utc: moment.format("%Y-%m-%d %H:%M").to_string(),
            local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;

    #[test]
    fn the_zone_stands_beside_utc_unless_it_is_utc() {
        let stamp = Stamp::new(moment(), Tz::Asia__Shanghai);
        assert_eq!(stamp.iso, "2026-11-22T08:00:00Z");
        assert_eq!(stamp.utc, "2026-11-22 08:00");
        assert_eq!(stamp.local.as_deref(), Some("2026-11-22 16:00 +08:00"));
        assert_eq!(Stamp::new(moment(), Tz::UTC).local, None);
    }

    #[test]
    fn no_date_is_too_far_for_a_zone() {
        for moment in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            for zone in [Tz::Asia__Shanghai, Tz::America__New_York] {
                assert!(Stamp::new(moment, zone).local.is_some());
            }
        }
    }
}
