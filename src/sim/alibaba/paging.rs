//! Which rows a list call gets, in both ways of paging, and what goes wrong between two pages.

use std::borrow::Cow;

use super::answer::Asked;
use super::error::ApiError;
use super::fleet::{Fleet, Listing, Place};
use super::model::{Instance, Text};
use crate::sim::wire::fault::Drift;

/// What the caller wants to see of a list.
#[derive(Default)]
pub(super) struct Filter<'a> {
    /// These ids only.
    pub(super) ids: Vec<&'a str>,
    /// This status only.
    pub(super) status: Option<&'a str>,
    /// This engine only.
    pub(super) engine: Option<&'a str>,
    /// These tags.
    pub(super) tags: Vec<(&'a str, Option<&'a str>)>,
    /// One of the tags is enough (RDS).
    pub(super) any_tag: bool,
}

impl Filter<'_> {
    fn is_open(&self) -> bool {
        self.ids.is_empty() && self.status.is_none() && self.engine.is_none() && self.tags.is_empty()
    }

    fn keeps(&self, instance: &Instance) -> bool {
        let has = |(key, value): &(&str, Option<&str>)| {
            let mut tags = instance.tags.iter();
            tags.any(|(k, v)| **k == **key && value.is_none_or(|value| *value == **v))
        };
        let any = self.any_tag && !self.tags.is_empty();
        let tagged = if any { self.tags.iter().any(has) } else { self.tags.iter().all(has) };
        tagged
            && self.status.is_none_or(|status| *instance.status == *status)
            && self.engine.is_none_or(|engine| instance.engine.as_str() == engine)
    }
}

/// The rows of one answer.
pub(super) struct Page {
    /// Ids, in list order.
    pub(super) ids: Vec<Text>,
    /// Number of the page.
    pub(super) number: usize,
    /// Size asked for.
    pub(super) size: usize,
    /// All rows of the list.
    pub(super) total: usize,
    /// Where the next page begins, by token.
    pub(super) next: Option<String>,
}

impl Page {
    /// By number, from 1.
    pub(super) fn numbered(places: &[Place], number: usize, size: usize, drift: Option<Drift>) -> Self {
        let begin = (number - 1).saturating_mul(size);
        let (begin, total) = match drift {
            Some(Drift::Duplicate) if number > 1 => (begin - 1, places.len()),
            Some(Drift::Vanish) if number > 1 => (begin.saturating_add(1), places.len().saturating_sub(1)),
            _ => (begin, places.len()),
        };
        let ids = ids(places, begin, size);
        Self { ids, number, size, total, next: None }
    }

    /// By token: the page after this place.
    pub(super) fn after(places: &[Place], token: Option<u64>, size: usize, drift: Option<Drift>) -> Self {
        let begin = token.map_or(0, |token| places.partition_point(|(place, _)| *place <= token));
        let begin = match drift {
            Some(Drift::Duplicate) => begin.saturating_sub(1),
            Some(Drift::Vanish) if begin > 0 => begin + 1,
            _ => begin,
        };
        let ids = ids(places, begin, size);
        let end = match drift {
            Some(Drift::TokenLoop) => size.min(places.len()),
            _ => begin + ids.len(),
        };
        let more = end < places.len() || drift == Some(Drift::TokenLoop);
        let last = places.get(end.wrapping_sub(1)).filter(|_| more);
        let next = last.map(|(place, _)| token_of(*place));
        Self { number: 1, size, total: ids.len(), ids, next }
    }
}

fn ids(places: &[Place], begin: usize, size: usize) -> Vec<Text> {
    places.iter().skip(begin).take(size).map(|(_, id)| id.clone()).collect()
}

/// A token that means a place; clients may not look inside.
pub(super) fn token_of(place: u64) -> String {
    format!("simulated{place:016x}")
}

/// The place that a token means.
pub(super) fn place_of(token: &str) -> Result<u64, ApiError> {
    let place = token.strip_prefix("simulated").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    place.ok_or_else(|| ApiError::new(400, "Invalid.NextToken", "The specified NextToken is invalid."))
}

/// The rows that pass the filter; nothing is copied where everything passes.
pub(super) fn select<'f>(
    asked: &Asked<'_>,
    fleet: &'f mut Fleet,
    region: &Text,
    listing: Listing,
    filter: &Filter<'_>,
) -> Cow<'f, [Place]> {
    if filter.is_open() {
        return Cow::Borrowed(fleet.listed(asked.account, region, listing));
    }
    let mut places = match filter.ids.as_slice() {
        [] => fleet.listed(asked.account, region, listing).to_vec(),
        ids => ids.iter().filter_map(|id| fleet.place_in(asked.account, region, listing, id)).collect(),
    };
    places.retain(|(_, id)| fleet.settled(id, asked.now).is_some_and(|instance| filter.keeps(instance)));
    Cow::Owned(places)
}

/// `PageNumber`, 1 unless given.
pub(super) fn page_number(asked: &Asked<'_>) -> Result<usize, ApiError> {
    let number = asked.received.get("PageNumber").map_or(Some(1), |text| text.parse().ok());
    number.filter(|number| *number >= 1).ok_or_else(|| malformed("InvalidPageNumbers.Malformed"))
}

/// A page size, 30 unless given, which must be one of those allowed.
pub(super) fn page_size(
    asked: &Asked<'_>,
    name: &str,
    allowed: impl Fn(usize) -> bool,
) -> Result<usize, ApiError> {
    let size = asked.received.get(name).map_or(Some(30), |text| text.parse().ok());
    size.filter(|size| allowed(*size)).ok_or_else(|| malformed("InvalidPageSize.Malformed"))
}

fn malformed(code: &'static str) -> ApiError {
    ApiError::new(400, code, "The specified page number or page size is invalid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(n: u64) -> Vec<Place> {
        (1..=n).map(|n| (n * 10, n.to_string().into())).collect()
    }

    fn shown(page: &Page) -> Vec<&str> {
        page.ids.iter().map(|id| &**id).collect()
    }

    #[test]
    fn pages_by_number_cover_the_list_unless_it_drifts() {
        for (name, number, drift, rows, total) in [
            ("first", 1, None, vec!["1", "2", "3"], 5),
            ("last", 2, None, vec!["4", "5"], 5),
            ("beyond", 3, None, vec![], 5),
            ("far beyond", usize::MAX, None, vec![], 5),
            ("a row came", 2, Some(Drift::Duplicate), vec!["3", "4", "5"], 5),
            ("a row went", 2, Some(Drift::Vanish), vec!["5"], 4),
            ("first while rows go", 1, Some(Drift::Vanish), vec!["1", "2", "3"], 5),
        ] {
            let page = Page::numbered(&places(5), number, 3, drift);
            assert_eq!((shown(&page), page.total), (rows, total), "{name}");
        }
    }

    #[test]
    fn a_token_goes_on_where_the_last_page_ended_even_if_that_row_went() {
        let mut list = places(5);
        let first = Page::after(&list, None, 3, None);
        let token = place_of(&first.next.unwrap()).unwrap();
        list.remove(2);
        let second = Page::after(&list, Some(token), 3, None);
        assert_eq!((shown(&second), second.next.as_deref()), (vec!["4", "5"], None));
        assert_eq!((second.number, second.total), (1, 2), "totals count the page alone");
    }

    #[test]
    fn a_looping_token_never_ends() {
        let list = places(5);
        let first = Page::after(&list, None, 3, Some(Drift::TokenLoop));
        let token = place_of(first.next.as_deref().unwrap()).unwrap();
        let second = Page::after(&list, Some(token), 3, Some(Drift::TokenLoop));
        assert_eq!(second.next, first.next);
    }
}
