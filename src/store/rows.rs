//! Rows of the tables, to be written and as read. The order of the fields is that of the columns in `statements`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Error, Row};

use super::words::{Odd, id_key, id_of, moment, number, scope_key, scope_of, stamp};
use super::{json, packed};
use crate::domain::difference::first_id;
use crate::domain::identity::Scope;
use crate::domain::interner::Interner;
use crate::domain::shelf::Chunk;
use crate::domain::snapshot::{RegionList, ScopeView};

pub(super) type Statement = Query<'static, Any, AnyArguments>;

/// Binds a row of `scope`.
pub(super) fn bind_scope(statement: Statement, (scope, view): &(&Scope, &ScopeView)) -> Statement {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    statement
        .bind(scope_key(scope))
        .bind(view.attempted_at.map(stamp))
        .bind(view.listed_at.map(stamp))
        .bind(view.listing_took.map(millis))
        .bind(view.key_failure.as_ref().map(json::write_failure))
        .bind(i64::from(view.listing_failures))
        .bind(view.listing_failure.as_ref().map(json::write_failure))
        .bind(view.look_failure.as_ref().map(json::write_failure))
        .bind(count(view.excluded))
        .bind(view.filtered_by.cast_signed())
}

/// A row of `resource_chunk`, ready to be written.
pub(super) struct ChunkRow {
    scope: String,
    first_id: String,
    resources: i64,
    data: Vec<u8>,
}

impl ChunkRow {
    /// Packs the resources of a scope by its key. Next looks are on the daemon's timeline, which began at `timeline_start`.
    pub(super) fn of(scope: String, chunk: &Chunk, timeline_start: DateTime<Utc>) -> Self {
        let resources = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
        let first_id = id_key(first_id(chunk));
        Self { scope, first_id, resources, data: packed::write(chunk, timeline_start) }
    }
}

/// Binds a row of `resource_chunk`.
pub(super) fn bind_chunk(statement: Statement, row: &ChunkRow) -> Statement {
    let ChunkRow { scope, first_id, resources, data } = row;
    statement.bind(scope.clone()).bind(first_id.clone()).bind(*resources).bind(data.clone())
}

/// Binds the key of a chunk.
pub(super) fn bind_chunk_key(statement: Statement, (scope, id): &(&Scope, &str)) -> Statement {
    statement.bind(scope_key(scope)).bind(id_key(id))
}

/// Binds a row of `regions`.
pub(super) fn bind_regions(statement: Statement, (scope, list): &(&Scope, RegionList)) -> Statement {
    statement.bind(scope_key(scope)).bind(stamp(list.at)).bind(list.asked_for.cast_signed())
}

/// The fields of a row, in order.
pub(super) struct Fields<'r> {
    row: &'r AnyRow,
    next: usize,
}

/// What a row held: a value, or something that this program did not write. An error is the database's.
pub(super) type Read<T> = Result<Result<T, Odd>, Error>;

impl<'r> Fields<'r> {
    pub(super) fn of(row: &'r AnyRow) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn text(&mut self) -> Result<&'r str, Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<&'r str>, Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    pub(super) fn bytes(&mut self) -> Result<&'r [u8], Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    pub(super) fn number(&mut self) -> Result<i64, Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    pub(super) fn optional_number(&mut self) -> Result<Option<i64>, Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }
}

/// A row of `scope`: its key, and a view without resources.
pub(super) fn read_scope(row: &AnyRow, words: &mut Interner) -> Read<(Scope, ScopeView)> {
    let mut fields = Fields::of(row);
    let key = fields.text()?;
    let (attempted_at, listed_at) = (fields.optional_number()?, fields.optional_number()?);
    let (took, key_failure) = (fields.optional_number()?, fields.optional_text()?);
    let failures = fields.number()?;
    let (listing_failure, look_failure) = (fields.optional_text()?, fields.optional_text()?);
    let (excluded, filtered_by) = (fields.number()?, fields.number()?);
    let mut read = || {
        let mut view = ScopeView::default();
        view.attempted_at = attempted_at.map(moment).transpose()?;
        view.listed_at = listed_at.map(moment).transpose()?;
        view.listing_took = took.map(number).transpose()?.map(Duration::from_millis);
        view.key_failure = key_failure.map(json::read_failure).transpose()?;
        view.listing_failures = number(failures)?;
        view.listing_failure = listing_failure.map(json::read_failure).transpose()?;
        view.look_failure = look_failure.map(json::read_failure).transpose()?;
        view.excluded = number(excluded)?;
        view.filtered_by = filtered_by.cast_unsigned();
        Ok((scope_of(key, words)?, view))
    };
    Ok(read())
}

/// A row of `resource_chunk` without its scope: the key, and what is in it.
pub(super) fn read_chunk(row: &AnyRow, timeline_start: DateTime<Utc>, words: &mut Interner) -> Read<Chunk> {
    let mut fields = Fields::of(row);
    let (first, data) = (fields.text()?, fields.bytes()?);
    let mut read = || {
        let (first, chunk) = (id_of(first)?, packed::read(data, timeline_start, words)?);
        let fits = chunk.first().is_some_and(|resource| resource.id == first);
        if fits { Ok(chunk) } else { Err(Odd::Columns) }
    };
    Ok(read())
}

/// A row of `regions`.
pub(super) fn read_regions(row: &AnyRow, words: &mut Interner) -> Read<(Scope, RegionList)> {
    let mut fields = Fields::of(row);
    let (key, at, asked_for) = (fields.text()?, fields.number()?, fields.number()?);
    let mut read = || {
        let list = RegionList { at: moment(at)?, asked_for: asked_for.cast_unsigned() };
        Ok((scope_of(key, words)?, list))
    };
    Ok(read())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
