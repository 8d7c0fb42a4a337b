//! Resources as they stood before many of them shared a row, one in each (tables of version 1 to 4). When a store is read
//! for the first time they go into rows of today, in one transaction, and their table is empty from then on. Rows that a
//! daemon of an earlier version still wrote after that, into a database that is shared, are older than ours: they go.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};

use super::packed::Columns;
use super::rows::{Fields, Read};
use super::words::{OddRows, id_of};
use super::{PAGE, statements, words, write_shelf};
use crate::domain::interner::Interner;
use crate::domain::resource::Resource;
use crate::domain::shelf::Shelf;

/// Takes over what there is. Rows of scopes that nobody knows go, as do those that this program did not write.
pub(super) async fn take_over(
    connection: &mut AnyConnection,
    timeline_start: DateTime<Utc>,
    words: &mut Interner,
    odd: &mut OddRows,
) -> Result<(), Error> {
    if sqlx::query(statements::ANY_SINGLE).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(());
    }
    for row in sqlx::query(statements::READ_SCOPES).fetch_all(&mut *connection).await? {
        let key = Fields::of(&row).text()?;
        // the reader tells what is odd about a scope
        let ours = sqlx::query(statements::ANY_CHUNK).bind(key.to_owned());
        let is_ours = ours.fetch_optional(&mut *connection).await?.is_some();
        if words::scope_of(key, words).is_ok() && !is_ours {
            let shelf = read(connection, key, timeline_start, words, odd).await?;
            write_shelf(connection, key, &shelf, timeline_start).await?;
        }
    }
    sqlx::query(statements::ERASE_SINGLE).execute(connection).await.map(drop)
}

async fn read(
    connection: &mut AnyConnection,
    key: &str,
    timeline_start: DateTime<Utc>,
    words: &mut Interner,
    odd: &mut OddRows,
) -> Result<Shelf, Error> {
    let (mut shelf, mut after) = (Shelf::default(), String::new());
    loop {
        let page = sqlx::query(statements::READ_SINGLE).bind(key.to_owned()).bind(after.clone()).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { return Ok(shelf) };
        for row in &page {
            match resource(row, timeline_start, words)? {
                Ok(resource) => drop(shelf.insert(Arc::new(resource))),
                Err(error) => odd.note(|| format!("{key}: {error}")),
            }
        }
        Fields::of(last).text()?.clone_into(&mut after);
    }
}

fn resource(row: &AnyRow, timeline_start: DateTime<Utc>, words: &mut Interner) -> Read<Resource> {
    let mut fields = Fields::of(row);
    let (id, facts) = (fields.text()?, fields.text()?);
    let (reading, failure) = (fields.optional_text()?, fields.optional_text()?);
    let failures_in_a_row = fields.number()?;
    let (looked_at, next_look_at) = (fields.optional_number()?, fields.optional_number()?);
    let carried = fields.number()? != 0;
    let mut read = || {
        let id = &id_of(id)?;
        let row =
            Columns { id, facts, reading, failure, failures_in_a_row, looked_at, next_look_at, carried };
        row.read(timeline_start, words)
    };
    Ok(read())
}
