//! The resources of one scope, read page by page: while the database fetches a page, the one before is turned into
//! resources by another thread. A hundred thousand of them are most of what a start waits for.

use std::panic::resume_unwind;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::rows::{self, Fields};
use super::words::Odd;
use super::{PAGE, statements};
use crate::domain::interner::Interner;
use crate::domain::resource::Resource;

/// What it takes to read a row.
#[derive(Debug)]
pub(super) struct RowReader {
    pub(super) words: Interner,
    pub(super) timeline_start: DateTime<Utc>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct ScopeRows {
    /// By id.
    pub(super) resources: Vec<Resource>,
    /// Rows that this program did not write: their ids as stored.
    pub(super) odd: Vec<(String, Odd)>,
}

type Work = (RowReader, ScopeRows);

/// Reads all resources of the scope with this key. What the reader learned comes back with them.
pub(super) async fn read(
    connection: &mut AnyConnection,
    key: &str,
    reader: RowReader,
) -> Result<(Interner, ScopeRows), Error> {
    let (mut work, mut after) = (spawn_blocking(|| Ok((reader, ScopeRows::default()))), String::new());
    loop {
        let page = sqlx::query(statements::READ_RESOURCES).bind(key.to_owned()).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let done = joined(work).await?;
        let Some(last) = page.last() else {
            let (reader, mut found) = done;
            // The order of the database is that of its own collation.
            found.resources.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            return Ok((reader.words, found));
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

fn put((mut reader, mut found): Work, page: &[AnyRow]) -> Result<Work, Error> {
    found.resources.reserve(page.len());
    for row in page {
        match rows::read_resource(row, reader.timeline_start, &mut reader.words)? {
            Ok(resource) => found.resources.push(resource),
            Err(odd) => found.odd.push((id_of(row)?, odd)),
        }
    }
    Ok((reader, found))
}

fn id_of(row: &AnyRow) -> Result<String, Error> {
    let mut fields = Fields::of(row);
    fields.text()?;
    Ok(fields.text()?.to_owned())
}
