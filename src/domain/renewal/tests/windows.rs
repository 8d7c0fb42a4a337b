//! Windows: hours of a zone, the cloud's own, blackout dates, clocks that change.

use chrono::{Datelike as _, Timelike as _, Weekday};
use chrono_tz::{America, Asia, Europe};
use proptest::prelude::*;

use super::*;
use crate::domain::renewal::window::{Opening, Span, Timetable};

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect(text).to_utc()
}

fn table(
    zone: Tz,
    from: (u32, u32),
    to: (u32, u32),
    days: &[Weekday],
    blackout: &[NaiveDate],
) -> Timetable<'static> {
    let hours = Hours { from: time(from.0, from.1), to: time(to.0, to.1), days: days.to_vec() };
    let blackout: &'static [NaiveDate] = blackout.to_vec().leak();
    Timetable { opening: Opening::Local { zone, hours }, blackout, zones: vec![zone] }
}

#[test]
fn the_next_window_is_found_over_midnight_days_blackouts_and_clock_changes() {
    let (shanghai, berlin, new_york) = (Asia::Shanghai, Europe::Berlin, America::New_York);
    let tuesday = [Weekday::Tue];
    for (name, table, from, want) in [
        (
            "tonight",
            table(shanghai, (2, 0), (5, 0), &EVERY_DAY, &[]),
            "2026-11-22T08:00:00Z",
            "2026-11-22T18:00:00Z 2026-11-22T21:00:00Z",
        ),
        (
            "now",
            table(shanghai, (2, 0), (5, 0), &EVERY_DAY, &[]),
            "2026-11-22T20:19:00Z",
            "2026-11-22T18:00:00Z 2026-11-22T21:00:00Z",
        ),
        (
            "too late tonight",
            table(shanghai, (2, 0), (5, 0), &EVERY_DAY, &[]),
            "2026-11-22T20:21:00Z",
            "2026-11-23T18:00:00Z 2026-11-23T21:00:00Z",
        ),
        (
            "over midnight, on the day on which it begins",
            table(shanghai, (23, 0), (3, 0), &tuesday, &[]),
            "2026-11-24T17:00:00Z",
            "2026-11-24T15:00:00Z 2026-11-24T19:00:00Z",
        ),
        (
            "over midnight into a blackout",
            table(shanghai, (23, 0), (3, 0), &tuesday, &[date(11, 25)]),
            "2026-11-24T14:00:00Z",
            "2026-11-24T15:00:00Z 2026-11-24T16:00:00Z",
        ),
        (
            "out of a blackout",
            table(shanghai, (23, 0), (3, 0), &tuesday, &[date(11, 24)]),
            "2026-11-24T14:00:00Z",
            "2026-11-24T16:00:00Z 2026-11-24T19:00:00Z",
        ),
        (
            "a blackout moves it by a week",
            table(shanghai, (2, 0), (5, 0), &tuesday, &[date(11, 24)]),
            "2026-11-22T08:00:00Z",
            "2026-11-30T18:00:00Z 2026-11-30T21:00:00Z",
        ),
        (
            "the clocks skip its begin",
            table(berlin, (2, 30), (5, 0), &EVERY_DAY, &[]),
            "2027-03-28T00:00:00Z",
            "2027-03-28T01:00:00Z 2027-03-28T03:00:00Z",
        ),
        (
            "the clocks skip all of it",
            table(berlin, (2, 5), (2, 55), &EVERY_DAY, &[]),
            "2027-03-28T00:00:00Z",
            "2027-03-29T00:05:00Z 2027-03-29T00:55:00Z",
        ),
        (
            "its begin comes twice: the second counts",
            table(new_york, (1, 30), (5, 0), &EVERY_DAY, &[]),
            "2026-11-01T04:00:00Z",
            "2026-11-01T06:30:00Z 2026-11-01T10:00:00Z",
        ),
        (
            "its end comes twice: the first counts",
            table(new_york, (0, 30), (1, 30), &EVERY_DAY, &[]),
            "2026-11-01T04:00:00Z",
            "2026-11-01T04:30:00Z 2026-11-01T05:30:00Z",
        ),
    ] {
        let Span { begin, end } = table.next_window(at(from), minutes(40)).expect(name);
        let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert_eq!(format!("{} {}", text(begin), text(end)), want, "{name}");
    }
}

#[test]
fn the_clouds_window_is_read_strictly() {
    let daily = |from, to| Some(Opening::Daily { from, to });
    for (text, want) in [
        ("18:00Z-22:00Z", daily(time(18, 0), time(22, 0))),
        ("22:30Z-02:00Z", daily(time(22, 30), time(2, 0))),
        (" 00:00Z-02:00Z ", daily(time(0, 0), time(2, 0))),
        ("18:00-22:00", None),
        ("18:00Z-22:00", None),
        ("18:00Z", None),
        ("18:00Z-18:00Z", None),
        ("8:00Z-22:00Z", None),
        ("18:00:00Z-22:00:00Z", None),
        ("18:00Z-24:00Z", None),
        ("18:00+08:00-22:00+08:00", None),
        ("", None),
    ] {
        assert_eq!(Opening::reported(text), want, "{text}");
    }
}

fn any_zone() -> impl Strategy<Value = Tz> {
    proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_window_lies_within_its_hours_on_its_days_and_off_its_blackouts(
        zone in any_zone(),
        (from, to) in (0_u32..1440, 0_u32..1440),
        day in 0_usize..7,
        start in 1_700_000_000_i64..1_950_000_000,
        blackout in 0_u64..9,
        need in 1_i64..180,
    ) {
        prop_assume!(from != to);
        let start = DateTime::from_timestamp(start, 0).expect("a moment");
        let blackout = start.date_naive() + chrono::Days::new(blackout);
        let days = [EVERY_DAY[day], EVERY_DAY[(day + 2) % 7]];
        let table = table(zone, (from / 60, from % 60), (to / 60, to % 60), &days, &[blackout]);
        let mut last = start;
        for window in table.windows(start, minutes(need)).take(3) {
            prop_assert!(window.left(start) >= minutes(need) && window.end > last);
            last = window.end;
            let length = window.end - window.begin;
            for share in 0..40 {
                let moment = window.begin + length * share / 40;
                let local = moment.with_timezone(&zone);
                let minute = local.hour() * 60 + local.minute();
                let (inside, begun) = if from < to {
                    ((from..to).contains(&minute), local.date_naive())
                } else if minute >= from {
                    (true, local.date_naive())
                } else {
                    (minute < to, local.date_naive().pred_opt().expect("a day"))
                };
                prop_assert!(inside, "{} is outside", local);
                prop_assert!(days.contains(&begun.weekday()), "{} is another day", local);
                prop_assert!(local.date_naive() != blackout && !table.is_blackout(moment));
            }
        }
    }
}
