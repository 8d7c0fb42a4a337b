//! Moments and lengths of time in words.
//!
//! Days left are rounded as people count: whole days, but six days and 23½ hours are seven. What is over is rounded
//! down.

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::phrase::{counted, say};
use super::words::{Words, words};
use crate::domain::policy::Locale;
use crate::notifier::Setting;
use crate::notifier::script::{Line, Span};

/// The language, the zone and the moment in which something is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    /// Its words.
    pub(super) words: &'static Words,
    /// Which language.
    pub(super) locale: Locale,
    /// When it is said.
    pub(super) now: DateTime<Utc>,
    timezone: Tz,
}

impl Voice {
    /// As a channel is set.
    pub(super) fn of(setting: &Setting<'_>) -> Self {
        let Setting { now, timezone, locale, .. } = *setting;
        Self { words: words(locale), locale, now, timezone }
    }

    /// `2026-11-29 00:00 UTC (2026-11-29 08:00 +08:00)`
    pub(super) fn moment(&self, at: DateTime<Utc>) -> Line {
        let shown = match self.local(at) {
            Some(_) => format!("{} ({})", utc(at), self.in_zone(at)),
            None => utc(at),
        };
        vec![Span::Moment { at, shown }]
    }

    /// `2026-11-29 00:00 UTC (08:00 +08:00)`, with the date only where it is another one.
    pub(super) fn brief(&self, at: DateTime<Utc>) -> Line {
        let shown = match self.local(at) {
            Some(local) if local.date_naive() == at.date_naive() => {
                format!("{} ({})", utc(at), local.format("%H:%M %:z"))
            }
            Some(local) => format!("{} ({})", utc(at), local.format("%m-%d %H:%M %:z")),
            None => utc(at),
        };
        vec![Span::Moment { at, shown }]
    }

    /// The same moment in the configured zone only.
    pub(super) fn in_zone(&self, at: DateTime<Utc>) -> String {
        self.local(at).map_or_else(|| utc(at), |local| local.format("%Y-%m-%d %H:%M %:z").to_string())
    }

    /// The day on which something ends, in UTC.
    pub(super) fn day(at: DateTime<Utc>) -> String {
        at.format("%Y-%m-%d").to_string()
    }

    /// `None` where the zone shows the same time as UTC.
    fn local(&self, at: DateTime<Utc>) -> Option<DateTime<Tz>> {
        let local = self.timezone.from_utc_datetime(&at.naive_utc());
        (local.offset().fix().local_minus_utc() != 0).then_some(local)
    }

    /// Whether an end is over.
    pub(super) fn is_over(&self, not_after: DateTime<Utc>) -> bool {
        not_after <= self.now
    }

    /// Whether something was less than a minute ago.
    pub(super) fn is_just(&self, at: DateTime<Utc>) -> bool {
        Length::past(self.now - at).count == 0
    }

    /// `7 days`; of what lies ahead.
    pub(super) fn left(&self, not_after: DateTime<Utc>) -> String {
        self.length(Length::ahead(not_after - self.now))
    }

    /// `7 days`, rounded up: everything until then is within it.
    pub(super) fn within(&self, not_after: DateTime<Utc>) -> String {
        self.length(Length::rounded_up(not_after - self.now))
    }

    /// `3 hours`; of what is over.
    pub(super) fn since(&self, at: DateTime<Utc>) -> String {
        self.lasting(self.now - at)
    }

    /// `3 hours`.
    pub(super) fn lasting(&self, length: TimeDelta) -> String {
        self.length(Length::past(length))
    }

    /// `3 hours ago`, `just now`.
    pub(super) fn ago(&self, at: DateTime<Utc>) -> String {
        if self.is_just(at) {
            return self.words.just_now.to_owned();
        }
        say(self.words.ago, &[&self.since(at)])
    }

    /// `in 7 days`, `3 days ago` (Chinese says that it is over: `已过期 3 天`).
    pub(super) fn distance(&self, not_after: DateTime<Utc>) -> String {
        match (self.is_over(not_after), self.locale) {
            (false, _) => say(self.words.in_length, &[&self.left(not_after)]),
            (true, Locale::En) => self.ago(not_after),
            (true, Locale::Zh) => self.state(not_after),
        }
    }

    /// `7 days left`, `expired 3 days ago`.
    pub(super) fn state(&self, not_after: DateTime<Utc>) -> String {
        if !self.is_over(not_after) {
            return say(self.words.left, &[&self.left(not_after)]);
        }
        if self.is_just(not_after) {
            return self.words.over_now.to_owned();
        }
        say(self.words.over_for, &[&self.since(not_after)])
    }

    fn length(&self, length: Length) -> String {
        let pattern = match length.unit {
            Unit::Day => self.words.days,
            Unit::Hour => self.words.hours,
            Unit::Minute => self.words.minutes,
        };
        counted(pattern, length.count, &[])
    }
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A length of time in the unit in which people think of it: hours below two days, minutes below two hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    count: usize,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Hour,
    Minute,
}

impl Unit {
    fn of(length: TimeDelta) -> Self {
        match length {
            long if long >= TimeDelta::hours(48) => Self::Day,
            long if long >= TimeDelta::hours(2) => Self::Hour,
            _ => Self::Minute,
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3600,
            Self::Minute => 60,
        }
    }
}

impl Length {
    /// The slack is a 24th of the unit: a message goes out some time after a threshold was crossed.
    fn ahead(length: TimeDelta) -> Self {
        let unit = Unit::of(length);
        let slack = TimeDelta::seconds(unit.seconds() / 24);
        Self { count: whole(length + slack, unit).max(1), unit }
    }

    fn past(length: TimeDelta) -> Self {
        let unit = Unit::of(length);
        Self { count: whole(length, unit), unit }
    }

    fn rounded_up(length: TimeDelta) -> Self {
        let unit = Unit::of(length);
        let almost = TimeDelta::seconds(unit.seconds() - 1);
        Self { count: whole(length + almost, unit).max(1), unit }
    }
}

fn whole(length: TimeDelta, unit: Unit) -> usize {
    usize::try_from(length.num_seconds() / unit.seconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(locale: Locale, timezone: Tz) -> Voice {
        let now = "2026-11-22T00:01:00Z".parse().expect("a time");
        Voice { words: words(locale), locale, now, timezone }
    }

    #[test]
    fn what_is_left_is_said_in_days_hours_and_minutes() {
        let (english, chinese) = (voice(Locale::En, Tz::UTC), voice(Locale::Zh, Tz::UTC));
        let (minute, hour, day) = (60, 3600, 86_400);
        for (seconds, want, zh) in [
            (7 * day, "7 days left", "剩余 7 天"),
            (7 * day - 60, "7 days left", "剩余 7 天"),
            (7 * day - 2 * hour, "6 days left", "剩余 6 天"),
            (2 * day, "2 days left", "剩余 2 天"),
            (2 * day - 1, "48 hours left", "剩余 48 小时"),
            (30 * hour, "30 hours left", "剩余 30 小时"),
            (2 * hour, "2 hours left", "剩余 2 小时"),
            (90 * minute, "90 minutes left", "剩余 90 分钟"),
            (1, "1 minute left", "剩余 1 分钟"),
            (0, "expired just now", "刚刚过期"),
            (-59, "expired just now", "刚刚过期"),
            (-minute, "expired 1 minute ago", "已过期 1 分钟"),
            (-hour, "expired 60 minutes ago", "已过期 60 分钟"),
            (-47 * hour, "expired 47 hours ago", "已过期 47 小时"),
            (-3 * day - 23 * hour, "expired 3 days ago", "已过期 3 天"),
        ] {
            let end = english.now + TimeDelta::seconds(seconds);
            assert_eq!(english.state(end), want);
            assert_eq!(chinese.state(end), zh);
        }
    }

    #[test]
    fn within_covers_everything_up_to_the_end() {
        let voice = voice(Locale::En, Tz::UTC);
        for (seconds, want) in [(7 * 86_400, "7 days"), (6 * 86_400 + 1, "7 days"), (3601, "61 minutes")] {
            assert_eq!(voice.within(voice.now + TimeDelta::seconds(seconds)), want);
        }
    }

    #[test]
    fn a_moment_is_shown_in_utc_and_in_the_zone_where_that_differs() {
        let evening = "2026-11-29T20:30:00Z".parse().expect("a time");
        for (zone, want, brief) in [
            (Tz::UTC, "2026-11-29 20:30 UTC", "2026-11-29 20:30 UTC"),
            (Tz::Europe__London, "2026-11-29 20:30 UTC", "2026-11-29 20:30 UTC"),
            (
                Tz::Asia__Shanghai,
                "2026-11-29 20:30 UTC (2026-11-30 04:30 +08:00)",
                "2026-11-29 20:30 UTC (11-30 04:30 +08:00)",
            ),
            (
                Tz::Europe__Berlin,
                "2026-11-29 20:30 UTC (2026-11-29 21:30 +01:00)",
                "2026-11-29 20:30 UTC (21:30 +01:00)",
            ),
        ] {
            let voice = voice(Locale::En, zone);
            assert_eq!(voice.moment(evening), [Span::Moment { at: evening, shown: want.into() }]);
            assert_eq!(voice.brief(evening), [Span::Moment { at: evening, shown: brief.into() }]);
        }
    }
}
