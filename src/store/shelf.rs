//! The resources of one scope, read page by page: while the database fetches a page, the one before is turned into
//! resources by another thread. A hundred thousand of them are most of what a start waits for.

use std::panic::resume_unwind;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::rows::{self, Fields};
use super::words::{Odd, Words};
use super::{PAGE, statements};
use crate::domain::resource::Resource;

/// What it takes to read a row.
#[derive(Debug)]
pub(super) struct RowReader {
    pub(super) words: Words,
    pub(super) timeline_start: DateTime<Utc>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By id.
    pub(super) resources: Vec<Resource>,
    /// Rows that this program did not write: their ids as stored.
    pub(super) odd: Vec<(String, Odd)>,
}

type Work = (RowReader, Shelf);

/// Reads all resources of the scope with this key. What the reader learned comes back with them.
pub(super) async fn fill(
    connection: &mut AnyConnection,
    key: &str,
    reader: RowReader,
) -> Result<(Words, Shelf), Error> {
    let (mut work, mut after) = (spawn_blocking(|| Ok((reader, Shelf::default()))), String::new());
    loop {
        let page = sqlx::query(statements::READ_RESOURCES).bind(key.to_owned()).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let done = joined(work).await?;
        let Some(last) = page.last() else {
            let (reader, mut shelf) = done;
            // The order of the database is that of its own collation.
            shelf.resources.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            return Ok((reader.words, shelf));
        };
        after = id_of(last)?;
        work = spawn_blocking(move || put(done, &page));
    }
}

async fn joined(work: JoinHandle<Result<Work, Error>>) -> Result<Work, Error> {
    match work.await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_)) => Err(Error::WorkerCrashed),
    }
}

fn put((mut reader, mut shelf): Work, page: &[AnyRow]) -> Result<Work, Error> {
    shelf.resources.reserve(page.len());
    for row in page {
        match rows::read_resource(row, reader.timeline_start, &mut reader.words)? {
            Ok(resource) => shelf.resources.push(resource),
            Err(odd) => shelf.odd.push((id_of(row)?, odd)),
        }
    }
    Ok((reader, shelf))
}

fn id_of(row: &AnyRow) -> Result<String, Error> {
    let mut fields = Fields::of(row);
    fields.text()?;
    Ok(fields.text()?.to_owned())
}
