//! The resources of one scope, read page by page. They stand in rows as they stand on their shelf in memory: chunk by
//! chunk, each under the id of its first resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};

use super::rows::{self, Fields};
use super::statements;
use super::words::Odd;
use crate::domain::difference::first_id;
use crate::domain::interner::Interner;
use crate::domain::resource::Resource;
use crate::domain::shelf::{Chunk, Shelf};

/// So many rows are read at once, a few megabytes.
const AT_ONCE: i64 = 32;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct ScopeRows {
    chunks: Vec<Chunk>,
    /// Rows that this program did not write: their keys as stored.
    pub(super) odd: Vec<(String, Odd)>,
}

impl ScopeRows {
    fn put(
        &mut self,
        page: &[AnyRow],
        timeline_start: DateTime<Utc>,
        words: &mut Interner,
    ) -> Result<(), Error> {
        for row in page {
            match rows::read_chunk(row, timeline_start, words)? {
                Ok(chunk) => self.chunks.push(chunk),
                Err(odd) => self.odd.push((key_of(row)?, odd)),
            }
        }
        Ok(())
    }

    /// The shelf that these rows are, or else what is to be written in their place: a save that ended in the middle
    /// leaves resources in two chunks, and so do two daemons that write the same scope. Of two the one that was looked
    /// at last counts; where that says nothing, either: the next listing puts it right.
    pub(super) fn shelf(mut self) -> Result<Shelf, Shelf> {
        // The order of the database is that of its own collation.
        self.chunks.sort_unstable_by(|a, b| first_id(a).cmp(first_id(b)));
        let overlapping = match Shelf::of_chunks(self.chunks.clone()) {
            Some(fitting) => return Ok(fitting),
            None => self.chunks.into_iter().flatten(),
        };
        let mut latest: BTreeMap<Arc<str>, Arc<Resource>> = BTreeMap::new();
        for resource in overlapping {
            let known = latest.entry(Arc::clone(&resource.id)).or_insert_with(|| Arc::clone(&resource));
            if known.looked_at < resource.looked_at {
                *known = resource;
            }
        }
        let mut mended = Shelf::default();
        for resource in latest.into_values() {
            mended.insert(resource);
        }
        Err(mended)
    }
}

/// Reads all resources of the scope with this key.
pub(super) async fn read(
    connection: &mut AnyConnection,
    key: &str,
    timeline_start: DateTime<Utc>,
    words: &mut Interner,
) -> Result<ScopeRows, Error> {
    let (mut found, mut after) = (ScopeRows::default(), String::new());
    loop {
        let page = sqlx::query(statements::READ_CHUNKS).bind(key.to_owned()).bind(after).bind(AT_ONCE);
        let page = page.fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { break };
        found.put(&page, timeline_start, words)?;
        after = key_of(last)?;
    }
    Ok(found)
}

fn key_of(row: &AnyRow) -> Result<String, Error> {
    Ok(Fields::of(row).text()?.to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::{moment, resource};

    fn looked(id: &str, minute: i64) -> Arc<Resource> {
        let looked_at = Some(moment() + TimeDelta::minutes(minute));
        Arc::new(Resource { looked_at, ..resource(id) })
    }

    fn rows(chunks: &[&[Arc<Resource>]]) -> ScopeRows {
        ScopeRows { chunks: chunks.iter().map(|chunk| chunk.to_vec()).collect(), odd: Vec::new() }
    }

    #[test]
    fn rows_are_the_chunks_of_the_shelf_whatever_the_order_of_the_database() {
        let (a, b, c) = (looked("a", 0), looked("b", 0), looked("c", 0));
        let shelf = rows(&[&[Arc::clone(&c)], &[a, b]]).shelf().expect("they fit");
        assert_eq!(shelf.chunks().map(|chunk| first_id(chunk)).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn of_one_resource_in_two_rows_the_last_look_counts() {
        let (old, new) = (looked("b", 0), looked("b", 1));
        for (name, one, other) in [("in the first", &new, &old), ("in the second", &old, &new)] {
            let rows = rows(&[&[looked("a", 0), Arc::clone(one)], &[Arc::clone(other), looked("c", 0)]]);
            let shelf = rows.shelf().expect_err(name);
            assert_eq!(shelf.get("b"), Some(&new), "{name}");
            assert_eq!((shelf.len(), shelf.chunks().count()), (3, 1), "{name}");
        }
    }
}
