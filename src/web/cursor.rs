//! Orders of a list, and how a list goes on where the last answer ended.
//!
//! A cursor holds the place of the last item in the order (its sort value and its identity), not a count of items.
//! So while the snapshot changes between two answers, an item that does not change is neither repeated nor skipped.

use std::collections::BinaryHeap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::identity::{CertRole, Scope};

use super::rows::Row;

/// What a list of certificates is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// What ends next comes first; what has no date comes last.
    #[default]
    NotAfter,
    /// What ends last comes first; what has no date comes last.
    NotAfterDescending,
    /// By the cloud's id.
    ResourceId,
    /// What was seen longest ago comes first, what was never read before it.
    LastSeen,
}

impl Sort {
    /// Every order, the default first.
    pub const ALL: [Self; 4] = [Self::NotAfter, Self::NotAfterDescending, Self::ResourceId, Self::LastSeen];

    /// The value of the parameter `sort`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAfter => "not_after",
            Self::NotAfterDescending => "-not_after",
            Self::ResourceId => "resource_id",
            Self::LastSeen => "last_seen",
        }
    }

    /// Where a row stands in this order.
    pub fn key<'s>(self, row: &Row<'s>) -> Key<'s> {
        let ends = || row.not_after().map(|end| end.timestamp_millis());
        let rank = match self {
            Self::NotAfter => ends().unwrap_or(i64::MAX),
            Self::NotAfterDescending => ends().map_or(i64::MAX, |end| -end),
            Self::ResourceId => 0,
            Self::LastSeen => row.last_seen().map_or(i64::MIN, |seen| seen.timestamp_millis()),
        };
        Key { rank, id: &row.resource.id, scope: row.scope, role: row.role() }
    }
}

/// A place in an order; no two rows share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'s> {
    rank: i64,
    id: &'s str,
    scope: &'s Scope,
    role: Option<CertRole>,
}

impl Key<'_> {
    /// The place, to be kept beyond the snapshot.
    pub fn to_place(self, sort: Sort) -> Place {
        Place { sort, rank: self.rank, id: self.id.to_owned(), scope: self.scope.clone(), role: self.role }
    }
}

/// A place in an order that outlives the snapshot it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    sort: Sort,
    rank: i64,
    id: String,
    scope: Scope,
    role: Option<CertRole>,
}

/// Sort, rank, id, scope, role: what stands in a cursor.
#[derive(Serialize, Deserialize)]
struct Written<'w>(&'w str, i64, String, [String; 5], Option<String>);

impl Place {
    /// The order it is a place in.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// For comparing with rows.
    pub fn key(&self) -> Key<'_> {
        Key { rank: self.rank, id: &self.id, scope: &self.scope, role: self.role }
    }

    /// The cursor.
    pub fn to_cursor(&self) -> String {
        let role = self.role.map(|role| role.as_str().to_owned());
        encode(&Written(self.sort.as_str(), self.rank, self.id.clone(), parts(&self.scope), role))
    }

    /// Reads a cursor; `None` if it is none.
    pub fn of_cursor(cursor: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let Written(sort, rank, id, scope, role) = serde_json::from_slice(&json).ok()?;
        let sort = Sort::ALL.into_iter().find(|known| known.as_str() == sort)?;
        let known_role = |name: String| CertRole::ALL.into_iter().find(|role| role.as_str() == name);
        let role = match role {
            Some(name) => Some(known_role(name)?),
            None => None,
        };
        Some(Self { sort, rank, id, scope: scope_of(scope), role })
    }
}

/// The cursor of a list of scopes.
pub fn scope_to_cursor(scope: &Scope) -> String {
    encode(&parts(scope))
}

/// Reads the cursor of a list of scopes; `None` if it is none.
pub fn scope_of_cursor(cursor: &str) -> Option<Scope> {
    decode(cursor).map(scope_of)
}

/// The first `most` of `candidates` in their order, and whether there are more.
///
/// Keeps no more than that many, so the first hundred of 100,000 cost one walk and no sorting of the rest.
pub fn first<'s>(
    candidates: impl Iterator<Item = (Key<'s>, Row<'s>)>,
    most: usize,
) -> (Vec<(Key<'s>, Row<'s>)>, bool) {
    let mut kept: BinaryHeap<Candidate<'s>> = BinaryHeap::with_capacity(most + 2);
    let mut more = false;
    for (key, row) in candidates {
        let full = kept.len() == most;
        more |= full;
        if full && kept.peek().is_none_or(|last| last.key <= key) {
            continue;
        }
        kept.push(Candidate { key, row });
        if full {
            kept.pop();
        }
    }
    (kept.into_sorted_vec().into_iter().map(|Candidate { key, row }| (key, row)).collect(), more)
}

struct Candidate<'s> {
    key: Key<'s>,
    row: Row<'s>,
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Candidate<'_> {}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

pub(super) fn encode(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("texts and numbers always serialize"))
}

pub(super) fn decode<T: DeserializeOwned>(cursor: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

pub(super) fn parts(scope: &Scope) -> [String; 5] {
    let Scope { provider, account, project, region, service } = scope;
    [provider, account, project, region, service].map(ToString::to_string)
}

pub(super) fn scope_of([provider, account, project, region, service]: [String; 5]) -> Scope {
    Scope {
        provider: provider.into(),
        account: account.into(),
        project: project.into(),
        region: region.into(),
        service: service.into(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::resource::Resource;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_none() {
        let scope = scope("redis");
        let (odd, certificate) = (resource("a\"/\u{202e}订"), certificate(DateTime::<Utc>::MAX_UTC));
        for certificate in [Some(&certificate), None] {
            let row = Row { scope: &scope, resource: &odd, certificate };
            for sort in Sort::ALL {
                let place = sort.key(&row).to_place(sort);
                assert_eq!(Place::of_cursor(&place.to_cursor()), Some(place), "{sort:?}");
            }
        }
        assert_eq!(scope_of_cursor(&scope_to_cursor(&scope)), Some(scope.clone()));
        for text in ["", "x", "////", "W10", &scope_to_cursor(&scope)] {
            assert_eq!(Place::of_cursor(text), None, "{text}");
        }
    }

    fn ending(number: usize, hours: i64) -> Resource {
        let mut resource = resource(&format!("r-{number}"));
        let end = certificate(moment() + chrono::TimeDelta::hours(hours));
        resource.reading = Some(reading(vec![end]));
        resource
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_first_are_those_of_a_full_sort(hours in proptest::collection::vec(-9..9_i64, 0..60), most in 1..70_usize) {
            let resources: Vec<_> = hours.iter().enumerate().map(|(n, h)| ending(n, *h)).collect();
            let scope = scope("redis");
            let mut all: Vec<_> = resources
                .iter()
                .map(|resource| Row { scope: &scope, resource, certificate: resource.certificates().first() })
                .map(|row| (Sort::NotAfter.key(&row), row))
                .collect();
            let (kept, more) = first(all.iter().copied(), most);
            all.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(more, all.len() > most);
            prop_assert!(kept.iter().map(|(key, _)| key).eq(all.iter().take(most).map(|(key, _)| key)));
        }

        #[test]
        fn no_cursor_panics(text in "\\PC*") {
            let _ = (Place::of_cursor(&text), scope_of_cursor(&text));
        }
    }
}
