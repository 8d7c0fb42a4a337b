//! Rows that are many to read and few to add: sorted, found by comparison, counted in under a shared lock.

use std::cmp::Ordering;
use std::sync::{PoisonError, RwLock};

/// Rows by key, sorted.
#[derive(Debug)]
pub(super) struct Table<K, V>(RwLock<Vec<(K, V)>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(RwLock::new(Vec::new()))
    }
}

impl<K, V> Table<K, V> {
    /// Acts on the row for which `order` is `Equal`; makes it first where there is none. What makes it runs alone:
    /// no other row is made or taken away at the same time.
    pub(super) fn with(
        &self,
        order: impl Fn(&K) -> Ordering,
        make: impl FnOnce() -> (K, V),
        act: impl Fn(&V),
    ) {
        {
            let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(found) = rows.binary_search_by(|(known, _)| order(known)) {
                return act(&rows[found].1);
            }
        }
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made it between the two locks.
        let at = rows.binary_search_by(|(known, _)| order(known)).unwrap_or_else(|place| {
            rows.insert(place, make());
            place
        });
        act(&rows[at].1);
    }

    /// Takes a row away, if it is there; nobody can make it anew before `leave` is done with it.
    pub(super) fn remove(&self, order: impl Fn(&K) -> Ordering, leave: impl FnOnce(V)) {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = rows.binary_search_by(|(known, _)| order(known)) {
            leave(rows.remove(found).1);
        }
    }

    /// Takes all rows away that are meant, in the same way.
    pub(super) fn remove_all(&self, meant: impl Fn(&K) -> bool, leave: impl Fn(&V)) {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        rows.extract_if(.., |(key, _)| meant(key)).for_each(|(_, value)| leave(&value));
    }

    /// Whether there is a row that is meant.
    pub(super) fn has(&self, meant: impl Fn(&K) -> bool) -> bool {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter().any(|(key, _)| meant(key))
    }
}
