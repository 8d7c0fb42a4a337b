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

impl<K, V: Default> Table<K, V> {
    /// Acts on the row for which `order` is `Equal`; makes it first, under `key`, where there is none.
    pub(super) fn with(&self, order: impl Fn(&K) -> Ordering, key: impl FnOnce() -> K, act: impl Fn(&V)) {
        {
            let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Ok(found) = rows.binary_search_by(|(known, _)| order(known)) {
                return act(&rows[found].1);
            }
        }
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made it between the two locks.
        let at = rows.binary_search_by(|(known, _)| order(known)).unwrap_or_else(|place| {
            rows.insert(place, (key(), V::default()));
            place
        });
        act(&rows[at].1);
    }

    /// Takes a row away, if it is there.
    pub(super) fn remove(&self, order: impl Fn(&K) -> Ordering) {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = rows.binary_search_by(|(known, _)| order(known)) {
            rows.remove(found);
        }
    }

    /// Visits every row in order.
    pub(super) fn each(&self, mut visit: impl FnMut(&K, &V)) {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter().for_each(|(key, value)| visit(key, value));
    }
}
