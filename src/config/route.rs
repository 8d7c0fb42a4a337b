//! `[[route]]`: which messages go to which channels.

use std::time::Duration;

use chrono::NaiveDate;

use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::nearest::nearest;
use crate::domain::policy::{Digest, EVERY_DAY, Quiet, Route, Thresholds};
use crate::fields::{Fault, Fields};
use crate::problem::quoted;

use super::alert::thresholds;
use super::names::{Names, unique};
use super::times::{date, days, hours, time_of_day};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Reads every route. `channels` are the names that may stand in one; `base` the thresholds that it may replace.
pub(super) fn read_all(fields: &mut Fields<'_>, channels: &Names, base: Thresholds) -> Vec<Route> {
    let mut all_taken_by = None;
    fields.tables("route", |number, fields| {
        let route = read(number, fields, channels, base);
        if let Some(earlier) = all_taken_by {
            let predicate = format!("is never reached: route {earlier} takes everything");
            fields.problem_here(&predicate, "move it up, or write `continue = true` there");
        }
        let takes_all = route.as_ref().is_some_and(|route| route.matcher.is_none() && !route.proceed);
        all_taken_by = all_taken_by.or(takes_all.then_some(number + 1));
        route
    })
}

fn read(number: usize, fields: &mut Fields<'_>, channels: &Names, base: Thresholds) -> Option<Route> {
    fields.set_context(&format!("route {}", number + 1));
    let everything = !fields.has("match");
    let matcher = fields.parsed("match", |text| Ok(Matcher::parse(text, LabelSet::ALERT)?));
    let targets = fields.require("channels", "channels = [\"NAME\"]");
    let targets = targets.list("channels", unique(|text| channel(text, channels)));
    let group_wait = fields.duration("group_wait", SECOND..=DAY).unwrap_or(Route::GROUP_WAIT);
    let digest = fields.table("digest", |fields| {
        let at = fields.parsed("at", time_of_day).unwrap_or_else(Digest::default_time);
        let days = days(fields, &EVERY_DAY);
        let send_empty = fields.boolean("send_empty").unwrap_or(false);
        Some(Digest { at, days, send_empty })
    });
    let quiet = fields.table("quiet", quiet);
    let thresholds = thresholds(fields, base);
    let send_renewed = fields.boolean("send_renewed").unwrap_or(true);
    let proceed = fields.boolean("continue").unwrap_or(false);
    let matcher = if everything { None } else { Some(matcher?) };
    Some(Route { matcher, channels: targets?, group_wait, digest, quiet, thresholds, send_renewed, proceed })
}

/// Hours, or whole days, or both.
fn quiet(fields: &mut Fields<'_>) -> Option<Quiet> {
    let mut dates: Vec<NaiveDate> = fields.list("dates", unique(date)).unwrap_or_default();
    dates.sort_unstable();
    let only_dates = fields.has("dates") && !["from", "to", "days"].iter().any(|key| fields.has(key));
    if only_dates {
        for key in ["from", "to", "days"] {
            fields.skip(key);
        }
        return Some(Quiet { hours: None, dates });
    }
    hours(fields).map(|hours| Quiet { hours: Some(hours), dates })
}

/// The name of a channel that exists.
pub(super) fn channel(text: &str, channels: &Names) -> Result<String, Fault> {
    if channels.iter().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    let meant = nearest(text, channels.iter());
    let meant = meant.map_or_else(String::new, |name| format!("did you mean \"{name}\"? "));
    let known: Vec<_> = channels.iter().collect();
    let hint = match known[..] {
        [] => "the name of a [[channel]]".to_owned(),
        _ => format!("{meant}possible: {}", known.join(", ")),
    };
    Err(Fault::new(format!("names {}, and there is no such channel", quoted(text)), hint))
}
