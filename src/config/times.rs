//! Zones, times of day and days, as several tables write them.

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::domain::nearest::nearest;
use crate::domain::policy::{EVERY_DAY, Hours};
use crate::fields::{Fault, Fields};
use crate::problem::quoted;

use super::names::unique;

/// A zone of the IANA database.
pub(super) fn timezone(text: &str) -> Result<Tz, Fault> {
    text.parse().map_err(|_| {
        let meant = nearest(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let meant = meant.map_or_else(String::new, |zone| format!("did you mean \"{zone}\"? "));
        let hint =
            format!("{meant}a name of the IANA database: \"UTC\", \"Asia/Shanghai\", \"Europe/Berlin\"");
        Fault::new(format!("is not a time zone: found {}", quoted(text)), hint)
    })
}

/// `HH:MM`
pub(super) fn time_of_day(text: &str) -> Result<NaiveTime, Fault> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5);
    time.ok_or_else(|| {
        let message = format!("is not a time of day: found {}", quoted(text));
        Fault::new(message, "two digits each, 00:00 to 23:59: \"09:37\"")
    })
}

/// `YYYY-MM-DD`
pub(super) fn date(text: &str) -> Result<NaiveDate, Fault> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    date.ok_or_else(|| {
        let message = format!("is not a date: found {}", quoted(text));
        Fault::new(message, "year, month and day: \"2026-10-01\"")
    })
}

/// The list `days`; `usual` where there is none.
pub(super) fn days(fields: &mut Fields<'_>, usual: &[Weekday]) -> Vec<Weekday> {
    let mut days = fields.list("days", unique(day)).unwrap_or_else(|| usual.to_vec());
    days.sort_by_key(Weekday::num_days_from_monday);
    days
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn day(text: &str) -> Result<Weekday, Fault> {
    let found = DAYS.iter().position(|name| *name == text).map(|number| EVERY_DAY[number]);
    found.ok_or_else(|| {
        let message = format!("is not a day: found {}", quoted(text));
        Fault::new(message, format!("possible: {}", DAYS.join(", ")))
    })
}

/// The word for a day.
pub(super) fn day_name(day: Weekday) -> &'static str {
    DAYS[day.num_days_from_monday() as usize]
}

/// `from`, `to` and `days`.
pub(super) fn hours(fields: &mut Fields<'_>) -> Option<Hours> {
    let example = "from = \"22:00\", to = \"07:00\"";
    let from = fields.require("from", example).parsed("from", time_of_day);
    let to = fields.require("to", example).parsed("to", time_of_day);
    let days = days(fields, &EVERY_DAY);
    let (from, to) = (from?, to?);
    if from == to {
        fields.problem("to", "must be another time than `from`", "one in which at least a minute passes");
        return None;
    }
    Some(Hours { from, to, days })
}
