//! The status page: the snapshot as plain texts, which `templates/page.html` prints and escapes.
//!
//! [`page`] is a pure function; the template decides nothing but what stands where. Foreign text goes through
//! [`shortened`](crate::visible::shortened) on its way into the view and through the template's escaping on its way out.

pub mod certificate;
pub mod chart;
pub mod chinese;
pub mod coded;
pub mod frame;
pub mod history;
pub mod kind;
pub mod more_words;
pub mod order;
pub mod query;
pub mod quiet;
pub mod renewal;
pub mod renewal_words;
pub mod renewals;
pub mod resource;
pub mod scopes;
pub mod survey;
pub mod table;
pub mod telling;
pub mod timeline;
pub mod times;
pub mod tongue;
pub mod why;
pub mod words;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use self::chart::{Chart, chart};
use self::frame::Frame;
use self::kind::Kind;
use self::more_words::MoreWords;
use self::query::{PageQuery, Show};
use self::renewals::{Renewals, renewals};
use self::scopes::{Scopes, scopes};
use self::survey::Survey;
use self::table::{Table, table};
use self::telling::{Told, told};
use self::tongue::Tongue;
use self::words::{Words, fill, number};
use crate::domain::hash::stable_hash;
use crate::domain::snapshot::Snapshot;
use crate::visible::visible;

use super::context::PageContext;

/// The style sheet, served as `/assets/style.css`.
pub const STYLE: &str = include_str!("../../../templates/style.css");
/// The picture beside the title, served as `/assets/icon.svg`.
pub const ICON: &str = include_str!("../../../templates/icon.svg");

/// The status page.
#[derive(Debug, Template)]
#[template(path = "page.html")]
pub struct Page {
    frame: Frame,
    w: &'static Words,
    m: &'static MoreWords,
    title: String,
    news: Vec<News>,
    tiles: Vec<Tile>,
    chart: Chart,
    later: String,
    table: Table,
    scopes: Scopes,
    renewals: Option<Renewals>,
    told: Option<Told>,
}

/// A sentence of the headline.
#[derive(Debug)]
struct News {
    class: &'static str,
    text: String,
}

/// A number of the overview that leads to what it counts.
#[derive(Debug)]
struct Tile {
    class: &'static str,
    count: String,
    none: bool,
    text: &'static str,
    link: String,
}

/// Builds the page.
pub fn page(snapshot: &Snapshot, query: &PageQuery, now: DateTime<Utc>, context: &PageContext<'_>) -> Page {
    let w = context.tongue.words;
    let mut survey = Survey::new(snapshot, query, now, context);
    let scopes = scopes(snapshot, now, context, w);
    Page {
        frame: Frame::new("", &query.link(), now, context),
        w,
        m: w.more,
        title: title(&survey, w),
        news: news(&survey, &scopes, snapshot, w).into_iter().chain(refused(now, context, w)).collect(),
        tiles: tiles(&survey, &scopes, context.tongue),
        chart: chart(&survey, now, w),
        later: w.later.of(survey.later),
        table: table(&mut survey, query, now, context, w),
        scopes,
        renewals: context.renewals.map(|board| renewals(board, now, context, w)),
        told: context.told.map(|telling| told(telling, now, context, w)),
    }
}

/// A name for a content: part of its link and its ETag, so that an upgrade is seen at once.
pub fn version_of(content: &str) -> String {
    format!("{:016x}", stable_hash([content]))
}

/// What is worst stands in the tab as well.
fn title(survey: &Survey<'_>, words: &Words) -> String {
    let worst = [Kind::Expired, Kind::Critical].into_iter().find(|kind| survey.kinds[*kind as usize] > 0);
    let worst = worst
        .map(|kind| format!("{} {} · ", number(survey.kinds[kind as usize]), words.kinds[kind as usize]));
    format!("{}notafter", worst.unwrap_or_default())
}

fn news(survey: &Survey<'_>, scopes: &Scopes, snapshot: &Snapshot, words: &Words) -> Vec<News> {
    let of = |kind: Kind| survey.kinds[kind as usize];
    let mut news: Vec<News> = [
        ("expired", of(Kind::Expired), words.expired_now),
        ("critical", of(Kind::Critical), words.critical_now),
        ("blind", scopes.blind, words.blind_now),
        ("unknown", survey.unread, words.unknown_now),
        ("pending", scopes.pending, words.pending_now),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(class, count, text)| News { class, text: text.of(count) })
    .collect();
    if of(Kind::Expired) + of(Kind::Critical) == 0 {
        let known = survey.kinds[..=Kind::Fine as usize].iter().any(|count| *count > 0);
        let text = if known { words.nothing_urgent } else { words.nothing_known };
        news.insert(0, News { class: if known { "ok" } else { "pending" }, text: text.to_owned() });
    }
    news.extend(lateness(snapshot, words));
    news
}

/// That what is written in the file is not what is used, and why.
fn refused(now: DateTime<Utc>, context: &PageContext<'_>, words: &Words) -> Option<News> {
    let (at, problems) = context.reading?.refused.as_ref()?;
    let text = fill(words.reload_refused, &[&words.length(now - *at), &visible(problems)]);
    Some(News { class: "blind", text })
}

/// Polling that is minutes behind is worth a sentence; seconds are the ordinary case.
fn lateness(snapshot: &Snapshot, words: &Words) -> Option<News> {
    let lag = TimeDelta::from_std(snapshot.backlog.lag).unwrap_or(TimeDelta::MAX);
    let late = lag >= TimeDelta::minutes(5);
    let text = || fill(words.late_now, &[&number(snapshot.backlog.due), &words.length(lag)]);
    late.then(|| News { class: "late", text: text() })
}

fn tiles(survey: &Survey<'_>, scopes: &Scopes, tongue: Tongue) -> Vec<Tile> {
    let words = tongue.words;
    let tile =
        |class, count: usize, text, link| Tile { class, count: number(count), none: count == 0, text, link };
    let of_kind = |kind: Kind| {
        let link = tongue.keep(PageQuery { show: Show::Only(kind), ..PageQuery::default() }.link());
        tile(kind.as_str(), survey.kinds[kind as usize], words.kinds[kind as usize], link)
    };
    let blind = tile("blind", scopes.blind, words.blind_tile, "#scopes".to_owned());
    Kind::ALL.into_iter().map(of_kind).chain([blind]).collect()
}

#[cfg(test)]
mod tests;
