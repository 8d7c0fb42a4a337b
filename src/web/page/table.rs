//! The table of what ends next, as plain texts for the template.

use chrono::{DateTime, Utc};

use super::kind::Kind;
use super::order::resource_link;
use super::query::{Order, PageQuery, Show};
use super::survey::{Found, ROWS, Survey};
use super::times::Stamp;
use super::words::{Words, fill, number};
use crate::domain::reason;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::resource::{Certificate, DateSource, Facts, ManagedBy, Resource};
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::rows::Row;

/// Names are cut behind so many characters, so that a page of the longest stays small.
const NAME: usize = 80;
/// Stories of failures are cut behind so many characters; all of it is in the API.
const STORY: usize = 240;

/// So many users of a certificate are named; all of them are in the API.
const USERS: usize = 3;

/// The table with its form and its pages.
#[derive(Debug)]
pub struct Table {
    /// What was searched for.
    pub text: String,
    /// The choice of rows: value, text, chosen.
    pub choices: Vec<(&'static str, &'static str, bool)>,
    /// The value of `lang`, to be kept by the form.
    pub lang: Option<&'static str>,
    /// To the table as it is by default.
    pub plain: String,
    /// The value of `sort`, to be kept by the form; empty by default.
    pub sort: String,
    /// Something was asked for, so there is something to reset.
    pub asked: bool,
    /// "1 to 200 of 3,000".
    pub range: String,
    /// "3 more are like this …", with a link to them.
    pub hidden: Option<(String, String)>,
    /// A link to the page before.
    pub previous: Option<String>,
    /// A link to the page behind.
    pub next: Option<String>,
    /// The headings, in order.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<RowView>,
}

/// A heading.
#[derive(Debug, Default)]
pub struct Column {
    /// Text that sorts nothing.
    pub plain: Option<&'static str>,
    /// Texts that sort: text, link, and `ascending` or `descending` where the table is sorted by it.
    pub sorts: Vec<(&'static str, String, Option<&'static str>)>,
    /// How the table is sorted by this column, for `aria-sort`.
    pub sorted: Option<&'static str>,
    /// Small print.
    pub note: Option<String>,
}

/// A row.
#[derive(Debug)]
#[allow(missing_docs)] // named as the columns
pub struct RowView {
    /// To the page of the resource.
    pub link: String,
    pub kind: &'static str,
    pub stage: &'static str,
    pub left: String,
    pub ends: Option<Stamp>,
    pub name: String,
    pub id: String,
    pub provider: String,
    pub account: String,
    pub service: String,
    pub region: String,
    pub project: String,
    pub role: &'static str,
    pub source: &'static str,
    pub seen: String,
    pub notes: Vec<String>,
    pub failure: Option<FailureView>,
}

/// A failed look.
#[derive(Debug)]
pub struct FailureView {
    /// "last look failed 5 min ago:"
    pub when: String,
    /// The stable reason.
    pub reason: &'static str,
    /// The story.
    pub text: String,
}

/// Builds the table from what was found.
pub fn table(
    survey: &mut Survey<'_>,
    query: &PageQuery,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> Table {
    let (total, hidden) = (survey.found.len(), survey.hidden);
    let (page, found) = survey.page(query);
    let query = &PageQuery { page, ..query.clone() };
    let rows: Vec<_> = found.iter().map(|found| row_view(found, now, context, words)).collect();
    let at = |page: usize| context.tongue.keep(PageQuery { page, ..query.clone() }.link());
    let everything =
        || context.tongue.keep(PageQuery { show: Show::Everything, page: 0, ..query.clone() }.link());
    Table {
        text: query.text.clone(),
        choices: choices(query.show, words),
        lang: context.tongue.kept(),
        plain: context.tongue.keep("?#ends"),
        sort: if query.order == Order::Ends && !query.descending { String::new() } else { query.sort() },
        asked: *query != PageQuery { page, ..PageQuery::default() },
        range: range(page, rows.len(), total, words),
        hidden: (hidden > 0 && query.show == Show::Matters).then(|| (words.hidden.of(hidden), everything())),
        previous: (page > 0).then(|| at(page - 1)),
        next: ((page + 1) * ROWS < total).then(|| at(page + 1)),
        columns: columns(query, context, words),
        rows,
    }
}

fn range(page: usize, shown: usize, total: usize, words: &Words) -> String {
    if shown == 0 {
        return words.none_found.to_owned();
    }
    let first = page * ROWS;
    fill(words.range, &[&number(first + 1), &number(first + shown), &number(total)])
}

fn choices(show: Show, words: &Words) -> Vec<(&'static str, &'static str, bool)> {
    let kinds = Kind::ALL
        .into_iter()
        .map(|kind| (kind.as_str(), words.kinds[kind as usize], show == Show::Only(kind)));
    [("", words.what_matters, show == Show::Matters)]
        .into_iter()
        .chain(kinds)
        .chain([("all", words.everything, show == Show::Everything)])
        .collect()
}

fn columns(query: &PageQuery, context: &PageContext<'_>, words: &'static Words) -> Vec<Column> {
    let direction = if query.descending { "descending" } else { "ascending" };
    let sorted_by = |order: Order| (query.order == order).then_some(direction);
    let by = |orders: &[(&'static str, Order)]| Column {
        sorts: orders
            .iter()
            .map(|&(text, order)| (text, context.tongue.keep(query.sorted_by(order)), sorted_by(order)))
            .collect(),
        sorted: orders.iter().find_map(|&(_, order)| sorted_by(order)),
        ..Column::default()
    };
    let plain = |text| Column { plain: Some(text), ..Column::default() };
    let zones = match context.timezone {
        chrono_tz::Tz::UTC => words.utc.to_owned(),
        zone => fill(words.utc_and, &[zone.name()]),
    };
    vec![
        plain(words.left),
        by(&[(words.stage, Order::Stage)]),
        Column { note: Some(zones), ..by(&[(words.ends, Order::Ends)]) },
        Column { plain: Some(words.resource), ..by(&[(words.name, Order::Name), (words.id, Order::Id)]) },
        by(&[(words.account, Order::Account)]),
        by(&[(words.service, Order::Service)]),
        by(&[(words.region, Order::Region)]),
        plain(words.role),
        plain(words.source),
        by(&[(words.last_seen, Order::Seen)]),
    ]
}

fn row_view(
    Found { row, kind }: &Found<'_>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> RowView {
    let Row { scope, resource, certificate } = *row;
    let name = |text: &str| shortened(text, NAME).into_owned();
    RowView {
        link: context.tongue.keep(resource_link(&ResourceKey::new(scope, &resource.id))),
        kind: kind.as_str(),
        stage: words.kinds[*kind as usize],
        left: row.not_after().map_or_else(|| words.no_date.to_owned(), |end| left(end, now, words)),
        ends: row.not_after().map(|end| Stamp::new(end, context.timezone)),
        name: name(&resource.facts.name),
        id: name(&resource.id),
        provider: name(&scope.provider),
        account: name(&scope.account),
        service: name(&scope.service),
        region: name(&scope.region),
        project: name(&scope.project),
        role: row.role().map_or("", |role| words.more.role(role)),
        source: certificate.map_or("", |certificate| DateSource::as_str(certificate.source)),
        seen: row.last_seen().map_or_else(|| words.never.to_owned(), |seen| words.ago(now - seen)),
        notes: notes(row, now, context, words),
        failure: failure_view(resource, now, words),
    }
}

fn left(end: DateTime<Utc>, now: DateTime<Utc>, words: &Words) -> String {
    if end > now { words.length(end - now) } else { words.ago(now - end) }
}

/// What else is worth knowing about a row.
fn notes(row: &Row<'_>, now: DateTime<Utc>, context: &PageContext<'_>, words: &Words) -> Vec<String> {
    let Row { scope, resource, certificate } = *row;
    let reading = resource.reading.as_ref();
    let disagree = certificate
        .filter(|certificate| certificate.dates_disagree() == Some(true))
        .and_then(|certificate: &Certificate| certificate.other_not_after)
        .map(|other| fill(words.disagree, &[&Stamp::new(other, chrono_tz::Tz::UTC).utc]));
    let required = reading.is_some_and(|reading| reading.renewal_required == Some(true));
    let own = reading.is_some_and(|reading| reading.managed_by == Some(ManagedBy::Customer));
    let owner = context.owner(scope, resource);
    [
        resource.is_stale(context.poll, now).then(|| words.stale.to_owned()),
        disagree,
        required.then(|| words.renewal_required.to_owned()),
        own.then(|| words.own_certificate.to_owned()),
        use_of(&resource.facts, words),
        owner.map(|owner| fill(words.owner, &[&shortened(owner, NAME)])),
    ]
    .into_iter()
    .flatten()
    .chain(super::telling::notes(row, now, context, words))
    .collect()
}

/// A certificate in use matters more than one that nobody uses.
pub(super) fn use_of(facts: &Facts, words: &Words) -> Option<String> {
    let listed: Vec<_> = facts.used_by.iter().take(USERS).map(|name| shortened(name, NAME)).collect();
    let (named, more) = (listed.join(", "), facts.used_by.len().saturating_sub(USERS));
    facts.in_use.map(|in_use| match in_use {
        false => words.not_in_use.to_owned(),
        true if listed.is_empty() => words.in_use.to_owned(),
        true if more == 0 => fill(words.used_by, &[&named]),
        true => fill(words.used_by_more, &[&named, &number(more)]),
    })
}

fn failure_view(resource: &Resource, now: DateTime<Utc>, words: &Words) -> Option<FailureView> {
    let reason::Failure { reason, text, at } = resource.failure.as_deref()?;
    Some(FailureView {
        when: fill(words.failed, &[&words.ago(now - *at)]),
        reason: reason.as_str(),
        text: story(text),
    })
}

/// The story of a failure, short enough for a table.
pub fn story(text: &str) -> String {
    shortened(text, STORY).into_owned()
}
