//! The statements, one text for both databases, made once.
//!
//! Many rows go in one statement; the numbers of rows are few and fixed, so that each text is prepared once and kept.
//! No statement needs to be alone: each row is written and erased as a whole, and the last word wins. Which daemon
//! may write which rows is for leases to say, once several share a database.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// So many rows go in one statement, largest first. More would be slower: SQLite looks each `$N` up in a list, so the
/// cost of a statement grows with the square of its values (100,000 resources by 1,000: 14 s; by 100: 4 s, in debug).
pub(super) const BATCHES: [usize; 3] = [100, 10, 1];

/// A text for each number of rows in [`BATCHES`].
pub(super) type Batched = [String; 3];

/// Columns of `scope`, the key first.
const SCOPE: &[&str] = &[
    "scope",
    "attempted_at",
    "listed_at",
    "listing_took",
    "key_failure",
    "listing_failures",
    "listing_failure",
    "look_failure",
    "excluded",
    "filtered_by",
];
/// Columns of `resource`, the keys first.
const RESOURCE: &[&str] = &[
    "scope",
    "id",
    "facts",
    "reading",
    "failure",
    "failures_in_a_row",
    "looked_at",
    "next_look_at",
    "carried",
];
const REGIONS: &[&str] = &["scope", "listed_at", "asked_for"];

pub(super) const READ_SCOPES: &str = "SELECT scope, attempted_at, listed_at, listing_took, key_failure, listing_failures, \
     listing_failure, look_failure, excluded, filtered_by FROM scope";
/// A page of one scope; behind the id that was read last.
pub(super) const READ_RESOURCES: &str = "SELECT scope, id, facts, reading, failure, failures_in_a_row, looked_at, \
     next_look_at, carried FROM resource WHERE scope = $1 AND id > $2 ORDER BY id LIMIT $3";
pub(super) const READ_REGIONS: &str = "SELECT scope, listed_at, asked_for FROM regions";

pub(super) const ERASE_SCOPE: &str = "DELETE FROM scope WHERE scope = $1";
pub(super) const ERASE_RESOURCES: &str = "DELETE FROM resource WHERE scope = $1";
pub(super) const ERASE_REGIONS: &str = "DELETE FROM regions WHERE scope = $1";

pub(super) static WRITE_SCOPES: LazyLock<Batched> =
    LazyLock::new(|| batched(|rows| upsert("scope", SCOPE, 1, rows)));
pub(super) static WRITE_RESOURCES: LazyLock<Batched> =
    LazyLock::new(|| batched(|rows| upsert("resource", RESOURCE, 2, rows)));
pub(super) static WRITE_REGIONS: LazyLock<Batched> =
    LazyLock::new(|| batched(|rows| upsert("regions", REGIONS, 1, rows)));
pub(super) static ERASE_SOME: LazyLock<Batched> = LazyLock::new(|| {
    batched(|rows| format!("DELETE FROM resource WHERE (scope, id) IN (VALUES {})", places(rows, 2)))
});

fn batched(text: impl Fn(usize) -> String) -> Batched {
    BATCHES.map(text)
}

/// Writes rows, whether they are there already or not. The first `keys` columns are the key.
fn upsert(table: &str, columns: &[&str], keys: usize, rows: usize) -> String {
    let (key, values) = columns.split_at(keys);
    let values: Vec<String> = values.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let (names, key, values) = (columns.join(", "), key.join(", "), values.join(", "));
    let places = places(rows, columns.len());
    format!("INSERT INTO {table} ({names}) VALUES {places} ON CONFLICT ({key}) DO UPDATE SET {values}")
}

/// `($1, $2), ($3, $4)`
fn places(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for place in 1..=rows * columns {
        let before = match place % columns {
            1 if place == 1 => "(",
            1 => "), (",
            _ => ", ",
        };
        write!(text, "{before}${place}").expect("writing into memory cannot fail");
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_through() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[test]
    fn a_row_that_is_there_is_written_over() {
        assert_eq!(
            upsert("t", &["a", "b", "c"], 2, 1),
            "INSERT INTO t (a, b, c) VALUES ($1, $2, $3) ON CONFLICT (a, b) DO UPDATE SET c = excluded.c"
        );
    }

    #[test]
    fn no_statement_has_more_values_than_either_database_takes() {
        const MOST: usize = 32_766;
        assert!(BATCHES[0] * SCOPE.len().max(RESOURCE.len()) <= MOST);
    }
}
