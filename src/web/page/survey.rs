//! One walk over everything: how many rows are in which drawer, in which week they end, and which of them are shown.
//!
//! The walk keeps references only, and sorts no more than one page of them: 100,000 rows cost a few milliseconds.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::kind::Kind;
use super::query::{Order, PageQuery, Show};
use crate::domain::snapshot::Snapshot;
use crate::web::context::PageContext;
use crate::web::cursor::Sort;
use crate::web::rows::{Row, rows};

/// Rows on a page.
pub const ROWS: usize = 25;
/// Weeks in the outlook.
pub const WEEKS: usize = 53;

/// What one walk found.
#[derive(Debug, Default)]
pub struct Survey<'s> {
    /// Rows in each drawer.
    pub kinds: [usize; Kind::ALL.len()],
    /// How many end in each of the next weeks, by drawer.
    pub weeks: Vec<[usize; Kind::ALL.len()]>,
    /// How many end after those weeks.
    pub later: usize,
    /// Resources that were looked at without learning what ends.
    pub unread: usize,
    /// What is to be shown.
    pub found: Vec<Found<'s>>,
    /// How many more fit the search text, but not the choice of rows.
    pub hidden: usize,
}

/// A row with its drawer.
#[derive(Debug, Clone, Copy)]
pub struct Found<'s> {
    /// The row.
    pub row: Row<'s>,
    /// Where it belongs.
    pub kind: Kind,
}

impl<'s> Survey<'s> {
    /// Walks over everything.
    pub fn new(
        snapshot: &'s Snapshot,
        query: &PageQuery,
        now: DateTime<Utc>,
        context: &PageContext<'_>,
    ) -> Self {
        let mut survey = Self { weeks: vec![[0; Kind::ALL.len()]; WEEKS], ..Self::default() };
        let words: Vec<String> = query.text.split_whitespace().map(str::to_lowercase).collect();
        for row in rows(snapshot) {
            let kind = Kind::of(&row, context, now);
            survey.count(&row, kind, now);
            if !is_like(&row, &words) {
                continue;
            }
            if is_shown(&row, kind, query.show) {
                survey.found.push(Found { row, kind });
            } else {
                survey.hidden += 1;
            }
        }
        survey
    }

    /// The rows of one page in order, with the number of the page: the last one where there are not that many.
    pub fn page(&mut self, query: &PageQuery) -> (usize, &[Found<'s>]) {
        let page = query.page.min(self.found.len().saturating_sub(1) / ROWS);
        let order = |a: &Found<'_>, b: &Found<'_>| compare(query, a, b);
        let mut rest = self.found.as_mut_slice();
        if page > 0 {
            rest.select_nth_unstable_by(page * ROWS, order);
            rest = &mut rest[page * ROWS..];
        }
        if rest.len() > ROWS {
            rest.select_nth_unstable_by(ROWS, order);
            rest = &mut rest[..ROWS];
        }
        rest.sort_unstable_by(order);
        (page, rest)
    }

    fn count(&mut self, row: &Row<'_>, kind: Kind, now: DateTime<Utc>) {
        self.kinds[kind as usize] += 1;
        self.unread += usize::from(kind == Kind::Unknown && row.matters());
        let Some(left) = row.not_after().map(|end| end - now).filter(|left| *left > TimeDelta::zero()) else {
            return;
        };
        match usize::try_from(left.num_weeks()).ok().and_then(|week| self.weeks.get_mut(week)) {
            None => self.later += 1,
            Some(kinds) => kinds[kind as usize] += 1,
        }
    }
}

fn is_shown(row: &Row<'_>, kind: Kind, show: Show) -> bool {
    match show {
        Show::Matters => row.matters(),
        Show::Everything => true,
        Show::Only(only) => kind == only,
    }
}

/// Every word occurs somewhere.
fn is_like(row: &Row<'_>, words: &[String]) -> bool {
    words.iter().all(|word| {
        let Row { scope, resource, .. } = row;
        let places = [&*resource.facts.name, &resource.id, &scope.account, &scope.service, &scope.region];
        places.into_iter().chain([&*scope.project, &*scope.provider]).any(|place| contains(place, word))
    })
}

/// `word` is in lower case. Almost all names are ASCII, for which nothing has to be copied.
fn contains(place: &str, word: &str) -> bool {
    if !place.is_ascii() {
        return place.to_lowercase().contains(word);
    }
    place.as_bytes().windows(word.len().max(1)).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

fn compare(query: &PageQuery, a: &Found<'_>, b: &Found<'_>) -> Ordering {
    let (x, y) = (&a.row, &b.row);
    let asked = match query.order {
        Order::Ends => x.not_after().cmp(&y.not_after()),
        Order::Stage => a.kind.cmp(&b.kind),
        Order::Name => x.resource.facts.name.cmp(&y.resource.facts.name),
        Order::Id => x.resource.id.cmp(&y.resource.id),
        Order::Account => x.scope.account.cmp(&y.scope.account),
        Order::Service => x.scope.service.cmp(&y.scope.service),
        Order::Region => (&x.scope.region, &x.scope.project).cmp(&(&y.scope.region, &y.scope.project)),
        Order::Seen => x.last_seen().cmp(&y.last_seen()),
    };
    let asked = if query.descending { asked.reverse() } else { asked };
    let dateless = |row: &Row<'_>| query.order == Order::Ends && row.not_after().is_none();
    dateless(x).cmp(&dateless(y)).then(asked).then_with(|| Sort::NotAfter.key(x).cmp(&Sort::NotAfter.key(y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::moment;
    use crate::web::context::testing::plain_context;
    use crate::web::testing::{fleet, small};

    fn shown(query: &str) -> Vec<String> {
        let snapshot = small();
        let query = PageQuery::parse(Some(query));
        let mut survey = Survey::new(&snapshot, &query, moment(), &plain_context());
        survey.page(&query).1.iter().map(|found| found.row.resource.id.to_string()).collect()
    }

    #[test]
    fn rows_are_chosen_and_ordered_as_asked() {
        for (query, want) in [
            (
                "",
                &[
                    "r-over",
                    "r-hours",
                    "r-days",
                    "d-soon",
                    "d-weeks",
                    "d-fine",
                    "d-fine",
                    "r-dateless",
                    "r-denied",
                ][..],
            ),
            ("stage=critical", &["r-hours", "r-days"]),
            ("stage=off", &["d-off"]),
            ("stage=unsupported", &["d-old"]),
            ("stage=unknown", &["r-dateless", "r-denied", "r-new"]),
            ("q=HANGZHOU+redis&stage=critical", &["r-hours", "r-days"]),
            ("q=订单", &["d-fine", "d-fine"]),
            ("q=nothing-like-this", &[]),
            ("stage=critical&sort=-ends", &["r-days", "r-hours"]),
            ("q=d-&sort=-id", &["d-weeks", "d-soon", "d-fine", "d-fine"]),
            ("q=d-&sort=stage", &["d-soon", "d-weeks", "d-fine", "d-fine"]),
        ] {
            assert_eq!(shown(query), want, "{query}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let snapshot = fleet(1_030);
        let mut seen = Vec::new();
        for page in 0..43 {
            let query = PageQuery { page, ..PageQuery::default() };
            let mut survey = Survey::new(&snapshot, &query, moment(), &plain_context());
            let (shown, rows) = survey.page(&query);
            assert_eq!(shown, page.min(41), "behind the last page is the last page");
            if page < 42 {
                seen.extend(rows.iter().map(|found| (found.row.not_after(), found.row.resource.id.clone())));
            }
        }
        assert_eq!(seen.len(), 1_030);
        assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_outlook_counts_by_week() {
        let snapshot = small();
        let survey = Survey::new(&snapshot, &PageQuery::default(), moment(), &plain_context());
        assert_eq!(survey.weeks[0], [0, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(survey.weeks[1], [0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(survey.later, 1);
        assert_eq!(survey.unread, 2);
        assert_eq!(survey.kinds, [1, 2, 1, 1, 2, 3, 1, 1]);
    }
}
