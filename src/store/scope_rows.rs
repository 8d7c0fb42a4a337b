//! The resources of one scope, read page by page.

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error};

use super::rows::{self, Fields};
use super::words::Odd;
use super::{PAGE, statements};
use crate::domain::interner::Interner;
use crate::domain::resource::Resource;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct ScopeRows {
    /// By id.
    pub(super) resources: Vec<Resource>,
    /// Rows that this program did not write: their ids as stored.
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
            match rows::read_resource(row, timeline_start, words)? {
                Ok(resource) => self.resources.push(resource),
                Err(odd) => self.odd.push((id_of(row)?, odd)),
            }
        }
        Ok(())
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
        let page = sqlx::query(statements::READ_RESOURCES).bind(key.to_owned()).bind(after).bind(PAGE);
        let page = page.fetch_all(&mut *connection).await?;
        let Some(last) = page.last() else { break };
        found.put(&page, timeline_start, words)?;
        after = id_of(last)?;
    }
    // The order of the database is that of its own collation.
    found.resources.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

fn id_of(row: &AnyRow) -> Result<String, Error> {
    let mut fields = Fields::of(row);
    fields.text()?;
    Ok(fields.text()?.to_owned())
}
