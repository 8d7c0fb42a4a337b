//! The year ahead: how many certificates end in which week, as a drawing and as a table that says the same.
//!
//! The drawing has no width of its own: places along it are in hundredths of whatever the screen has, heights are in
//! pixels, so that neither letters nor patterns are ever stretched.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::kind::Kind;
use super::survey::{Survey, WEEKS};
use super::words::{Words, fill, number};
use crate::domain::policy::Locale;

/// The highest bar, in pixels.
const HEIGHT: usize = 132;
/// Its upper end.
const TOP: usize = 14;
/// What is there at all is seen.
const LEAST: usize = 3;
/// The kinds that have an end in the future.
const KINDS: [Kind; 4] = [Kind::Critical, Kind::Warning, Kind::Info, Kind::Fine];

/// The year ahead.
#[derive(Debug)]
pub struct Chart {
    /// What the drawing shows, for those who do not see it.
    pub about: String,
    /// Kinds that occur, by class, and their words.
    pub legend: Vec<(&'static str, &'static str)>,
    /// The ground.
    pub ground: usize,
    /// Heights with their numbers.
    pub lines: Vec<(usize, String)>,
    /// One for each piece of a bar.
    pub bars: Vec<Bar>,
    /// Where months begin, and their words; whether it is left out where there is little room.
    pub months: Vec<(String, String, bool)>,
    /// The heading of each column of numbers.
    pub columns: Vec<&'static str>,
    /// Weeks in which something ends.
    pub weeks: Vec<WeekRow>,
}

/// A piece of a bar: all of one kind that end in a week.
#[derive(Debug)]
#[allow(missing_docs)] // as the attributes of a `rect`
pub struct Bar {
    pub class: &'static str,
    pub x: String,
    pub y: usize,
    pub height: usize,
    pub title: String,
}

/// A week in which something ends.
#[derive(Debug)]
pub struct WeekRow {
    /// Its first day.
    pub from: String,
    /// Of each kind.
    pub counts: Vec<String>,
    /// Of all kinds.
    pub total: String,
}

/// Draws the year ahead.
pub fn chart(survey: &Survey<'_>, now: DateTime<Utc>, words: &Words) -> Chart {
    let total = |kinds: &[usize; Kind::ALL.len()]| kinds.iter().sum::<usize>();
    let most = survey.weeks.iter().map(total).max().unwrap_or_default();
    let scale = ceiling(most);
    let day = |week: usize| date(now, week).format("%Y-%m-%d").to_string();
    let occurring = KINDS.iter().filter(|kind| survey.weeks.iter().any(|week| week[**kind as usize] > 0));
    let legend: Vec<_> = occurring.map(|kind| (kind.as_str(), words.kinds[*kind as usize])).collect();
    let row = |(week, kinds): (usize, &[usize; Kind::ALL.len()])| WeekRow {
        from: day(week),
        counts: KINDS.iter().map(|kind| number(kinds[*kind as usize])).collect(),
        total: number(total(kinds)),
    };
    let weeks = survey.weeks.iter().enumerate();
    Chart {
        about: fill(words.more.chart, &[&day(0), &day(WEEKS)]),
        legend,
        ground: TOP + HEIGHT,
        lines: lines(scale),
        bars: weeks.clone().flat_map(|(week, kinds)| bars(week, kinds, scale, &day(week), words)).collect(),
        months: months(now, words),
        columns: KINDS.iter().map(|kind| words.kinds[*kind as usize]).collect(),
        weeks: weeks.filter(|(_, kinds)| total(kinds) > 0).map(row).collect(),
    }
}

fn date(now: DateTime<Utc>, week: usize) -> DateTime<Utc> {
    let weeks = TimeDelta::weeks(i64::try_from(week).unwrap_or_default());
    now.checked_add_signed(weeks).unwrap_or(now)
}

/// A round number that nothing exceeds: 1, 2, 4, 5 or 10 of some power of ten, and never below 4.
fn ceiling(most: usize) -> usize {
    let mut power = 1;
    loop {
        for step in [1, 2, 4, 5, 8, 10] {
            let scale = step * power;
            if scale >= most.max(4) {
                return scale;
            }
        }
        power *= 10;
    }
}

fn lines(scale: usize) -> Vec<(usize, String)> {
    let at = |count: usize| (TOP + HEIGHT - count * HEIGHT / scale, number(count));
    let half = if scale.is_multiple_of(2) { Some(at(scale / 2)) } else { None };
    [Some(at(0)), half, Some(at(scale))].into_iter().flatten().collect()
}

/// Where a week stands, in hundredths of the width.
fn place(week: usize) -> String {
    let thousandths = (week * 10_000 + 1_000) / WEEKS;
    format!("{}.{:02}%", thousandths / 100, thousandths % 100)
}

fn bars(week: usize, kinds: &[usize; Kind::ALL.len()], scale: usize, day: &str, words: &Words) -> Vec<Bar> {
    let (mut bars, mut ground) = (Vec::new(), TOP + HEIGHT);
    for kind in KINDS.into_iter().filter(|kind| kinds[*kind as usize] > 0) {
        let count = kinds[kind as usize];
        let height = (count * HEIGHT / scale).max(LEAST);
        ground = ground.saturating_sub(height);
        let from = fill(words.week_from, &[day]);
        let title = format!("{from}: {} {}", number(count), words.kinds[kind as usize]);
        bars.push(Bar { class: kind.as_str(), x: place(week), y: ground, height, title });
    }
    bars
}

/// Each month at the first week that begins in it; January carries the year. Every other one has no room on a phone.
fn months(now: DateTime<Utc>, words: &Words) -> Vec<(String, String, bool)> {
    let mut months = Vec::new();
    for week in 1..WEEKS {
        let (before, here) = (date(now, week - 1), date(now, week));
        if before.month() == here.month() || week + 2 > WEEKS {
            continue;
        }
        let name = match (here.month(), words.locale) {
            (1, _) => here.year().to_string(),
            (_, Locale::En) => here.format("%b").to_string(),
            (month, Locale::Zh) => format!("{month}月"),
        };
        months.push((place(week), name, here.month().is_multiple_of(2)));
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;
    use crate::web::context::testing::plain_context;
    use crate::web::page::chinese::CHINESE;
    use crate::web::page::query::PageQuery;
    use crate::web::page::words::ENGLISH;
    use crate::web::testing::{fleet, small};

    fn of(snapshot: &crate::domain::snapshot::Snapshot, words: &Words) -> Chart {
        let survey = Survey::new(snapshot, &PageQuery::default(), moment(), &plain_context());
        chart(&survey, moment(), words)
    }

    #[test]
    fn the_drawing_and_the_table_say_the_same() {
        let chart = of(&small(), &ENGLISH);
        let titles: Vec<_> = chart.bars.iter().map(|bar| &*bar.title).collect();
        assert_eq!(
            titles,
            [
                "week from 2026-11-22: 2 critical",
                "week from 2026-11-29: 1 warning",
                "week from 2026-12-13: 1 info",
                "week from 2027-09-12: 1 fine",
            ]
        );
        let totals: Vec<_> = chart.weeks.iter().map(|week| (&*week.from, &*week.total)).collect();
        assert_eq!(totals[0], ("2026-11-22", "2"));
        assert_eq!(totals.len(), 4);
    }

    #[test]
    fn bars_stand_on_the_ground_within_the_drawing_whatever_they_count() {
        for count in [1, 7, 1_030, 20_000] {
            for words in [&ENGLISH, &CHINESE] {
                let chart = of(&fleet(count), words);
                assert!(chart.bars.iter().all(|bar| bar.y + bar.height <= chart.ground), "{count}");
                assert!(chart.bars.iter().all(|bar| bar.y + 2 * LEAST >= TOP), "{count}");
                assert!(chart.bars.len() <= WEEKS * KINDS.len() && chart.weeks.len() <= WEEKS, "{count}");
                assert!(chart.months.len() >= 11, "{:?}", chart.months);
            }
        }
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        for (most, want) in [(0, 4), (3, 4), (6, 8), (9, 10), (11, 20), (41, 50), (301, 400), (9_000, 10_000)]
        {
            assert_eq!(ceiling(most), want, "{most}");
        }
    }
}
