//! Hours and days of a zone: until when it is quiet, and when a digest was due last.
//!
//! A local time that the clocks skip counts as the moment after the gap; one that comes twice begins at its first and
//! ends at its second occurrence, so that no gap appears inside quiet hours.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::policy::{Digest, Hours, Quiet};

/// Nobody keeps quiet for longer without a break; a calendar that says so is cut there.
const LONGEST_QUIET_DAYS: u32 = 366;

/// Until when it is quiet, if it is quiet now.
pub fn quiet_until(quiet: &Quiet, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut end = now;
    for _ in 0..LONGEST_QUIET_DAYS * 2 {
        match spell(quiet, zone, end) {
            Some(later) if later > end => end = later,
            _ => break,
        }
    }
    (end > now).then_some(end)
}

/// The end of one stretch of quiet around a moment.
fn spell(quiet: &Quiet, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = at.with_timezone(&zone).date_naive();
    let holiday = quiet.dates.contains(&today).then(|| begin_of(zone, tomorrow(today), NaiveTime::MIN));
    let hours = quiet.hours.as_ref().and_then(|hours| hours_end(hours, zone, at));
    holiday.into_iter().chain(hours).max()
}

/// The end of these hours, if a moment is within them.
pub fn hours_end(hours: &Hours, zone: Tz, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = at.with_timezone(&zone).date_naive();
    let begins = [today.pred_opt(), Some(today)];
    let spans = begins.into_iter().flatten().filter(|day| hours.days.contains(&day.weekday()));
    let spans = spans.map(|day| hours_on(hours, zone, day));
    spans.filter(|(from, to)| (*from..*to).contains(&at)).map(|(_, to)| to).max()
}

/// These hours of the day on which they begin.
pub fn hours_on(hours: &Hours, zone: Tz, day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let last = if hours.to <= hours.from { tomorrow(day) } else { day };
    (begin_of(zone, day, hours.from), end_of(zone, last, hours.to))
}

/// These hours of the day on which they begin, as few of them as either reading of a time that comes twice allows: for
/// what must not happen outside them. `None` where nothing is left of them on that day.
pub fn hours_surely_on(hours: &Hours, zone: Tz, day: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let last = if hours.to <= hours.from { tomorrow(day) } else { day };
    let (begin, end) = (end_of(zone, day, hours.from), begin_of(zone, last, hours.to));
    (begin < end).then_some((begin, end))
}

/// A whole day of a zone.
pub fn day_of(zone: Tz, day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    (begin_of(zone, day, NaiveTime::MIN), begin_of(zone, tomorrow(day), NaiveTime::MIN))
}

/// The last moment up to `now` at which a digest was due.
pub fn last_slot(digest: &Digest, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let days = (0..=7).filter_map(|back| today.checked_sub_days(Days::new(back)));
    slots(digest, zone, days).find(|slot| *slot <= now)
}

/// The next moment after `now` at which a digest is due.
pub fn next_slot(digest: &Digest, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let days = (0..=8).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
    slots(digest, zone, days).find(|slot| *slot > now)
}

fn slots(
    digest: &Digest,
    zone: Tz,
    days: impl Iterator<Item = NaiveDate>,
) -> impl Iterator<Item = DateTime<Utc>> {
    let days = days.filter(|day| digest.days.contains(&day.weekday()));
    days.map(move |day| begin_of(zone, day, digest.at))
}

fn tomorrow(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(day)
}

fn begin_of(zone: Tz, day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    resolve(zone, day.and_time(time), true)
}

fn end_of(zone: Tz, day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    resolve(zone, day.and_time(time), false)
}

fn resolve(zone: Tz, mut local: NaiveDateTime, first: bool) -> DateTime<Utc> {
    // no zone ever skipped more than a day (Samoa, 2011)
    for _ in 0..=24 * 60 {
        let found = local.and_local_timezone(zone);
        if let Some(at) = if first { found.earliest() } else { found.latest() } {
            return at.to_utc();
        }
        local += TimeDelta::minutes(1);
    }
    local.and_utc()
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, TimeZone as _, Weekday};
    use chrono_tz::{America, Asia, Europe};

    use super::*;
    use crate::domain::policy::EVERY_DAY;

    fn utc(day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, day, hour, minute, 0).single().expect("a date")
    }

    fn time(hour: u32, minute: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hour, minute, 0).expect("a time")
    }

    fn hours(from: u32, to: u32, days: &[Weekday]) -> Hours {
        Hours { from: time(from, 0), to: time(to, 0), days: days.to_vec() }
    }

    fn quiet(hours: Option<Hours>, dates: &[NaiveDate]) -> Quiet {
        Quiet { hours, dates: dates.to_vec() }
    }

    #[test]
    fn quiet_ends_when_the_last_stretch_ends() {
        let night = hours(22, 7, &EVERY_DAY);
        let sunday_night = hours(22, 7, &[Weekday::Sun]);
        let all_day = hours(0, 0, &[Weekday::Sat, Weekday::Sun]);
        let date = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a date");
        // 2026-11-22 is a Sunday; Shanghai is eight hours ahead
        for (name, quiet, now, want) in [
            ("before midnight", quiet(Some(night.clone()), &[]), utc(22, 15, 0), Some(utc(22, 23, 0))),
            ("after midnight", quiet(Some(night.clone()), &[]), utc(22, 20, 0), Some(utc(22, 23, 0))),
            ("by day", quiet(Some(night.clone()), &[]), utc(22, 3, 0), None),
            ("at its first second", quiet(Some(night.clone()), &[]), utc(22, 14, 0), Some(utc(22, 23, 0))),
            ("at its end", quiet(Some(night.clone()), &[]), utc(22, 23, 0), None),
            (
                "the day on which it begins counts",
                quiet(Some(sunday_night), &[]),
                utc(22, 20, 0),
                Some(utc(22, 23, 0)),
            ),
            ("whole days join", quiet(Some(all_day), &[]), utc(21, 3, 0), Some(utc(22, 16, 0))),
            ("a holiday", quiet(None, &[date(22)]), utc(22, 3, 0), Some(utc(22, 16, 0))),
            ("holidays in a row", quiet(None, &[date(22), date(23)]), utc(22, 3, 0), Some(utc(23, 16, 0))),
            (
                "a holiday runs into the night",
                quiet(Some(night), &[date(22)]),
                utc(22, 3, 0),
                Some(utc(22, 23, 0)),
            ),
        ] {
            assert_eq!(quiet_until(&quiet, Asia::Shanghai, now), want, "{name}");
        }
    }

    #[test]
    fn quiet_all_week_ends_some_day() {
        let always = quiet(Some(hours(0, 0, &EVERY_DAY)), &[]);
        let end = quiet_until(&always, Asia::Shanghai, utc(22, 3, 0)).expect("quiet");
        assert!(end > utc(29, 0, 0));
    }

    #[test]
    fn clocks_that_change_leave_no_gap() {
        let night = quiet(Some(hours(1, 3, &EVERY_DAY)), &[]);
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("a date").to_utc();
        for (name, zone, now, want) in [
            ("02:30 does not exist", Europe::Berlin, "2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z"),
            ("01:30 comes twice", America::New_York, "2026-11-01T05:30:00Z", "2026-11-01T08:00:00Z"),
            ("and again", America::New_York, "2026-11-01T06:30:00Z", "2026-11-01T08:00:00Z"),
        ] {
            assert_eq!(quiet_until(&night, zone, at(now)), Some(at(want)), "{name}");
        }
    }

    #[test]
    fn a_digest_is_due_on_its_days() {
        let at = time(9, 37);
        let daily = Digest { at, days: EVERY_DAY.to_vec(), send_empty: false };
        let weekly = Digest { at, days: vec![Weekday::Mon], send_empty: false };
        for (name, digest, now, last, next) in [
            ("before it", &daily, utc(22, 1, 36), utc(21, 1, 37), utc(22, 1, 37)),
            ("at it", &daily, utc(22, 1, 37), utc(22, 1, 37), utc(23, 1, 37)),
            ("weekly", &weekly, utc(22, 12, 0), utc(16, 1, 37), utc(23, 1, 37)),
            ("weekly, on the day", &weekly, utc(23, 1, 37), utc(23, 1, 37), utc(30, 1, 37)),
        ] {
            assert_eq!(last_slot(digest, Asia::Shanghai, now), Some(last), "{name}");
            assert_eq!(next_slot(digest, Asia::Shanghai, now), Some(next), "{name}");
        }
    }
}
