//! Floor 3: what outlives the process. One function for each need, and each is a transaction.
//!
//! One text of each statement serves SQLite, which is the default, and PostgreSQL (`statements`), but for the places of
//! values where many rows go in one. The store knows
//! snapshots and differences between them; it knows neither when to save nor what to do when it cannot, which is for
//! `daemon` to decide. Nothing secret is ever in what it is given: snapshots hold no keys.
//!
//! Several daemons may write to one PostgreSQL database: each row is written as a whole and the last word wins. Resources
//! stand many in a row, so of two daemons that look at the same scope one may take back what the other read, until its next
//! look; reading copes with rows that overlap. That each of them has the same accounts configured is taken for granted;
//! until accounts are leased, one with other accounts would erase the rows that it does not know.

mod address;
mod alerts;
mod facts;
mod handle;
mod history;
mod json;
mod kept;
mod lock;
mod outbox;
mod packed;
mod pieces;
mod prove;
mod renewals;
mod rows;
mod schema;
mod scope_rows;
mod silences;
mod single;
mod statements;
mod trouble;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::any::{Any, AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Error, Transaction};
use tokio::task::{JoinHandle, spawn_blocking};

pub use alerts::Alerts;
pub use facts::Facts;
pub use handle::{Handle, Holder, handle};
pub use history::{Counts, Cursor, Waiting};
pub use renewals::Committed;
pub use trouble::{StoreError, Trouble};

use self::address::Address;
use self::lock::Lock;
use self::pieces::Piece;
use self::prove::Check;
use self::rows::{ChunkRow, Statement};
use self::statements::{BATCHES, Batched};
use self::trouble::Kind;
use self::words::OddRows;
use crate::domain::difference::Difference;
use crate::domain::identity::Scope;
use crate::domain::interner::Interner;
use crate::domain::shelf::{Chunk, Shelf};
use crate::domain::snapshot::{RegionList, Snapshot};

/// A database that has not opened by then is not waited for.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// A hundred thousand resources are written and read in a fraction of this.
const WORK_LIMIT: Duration = Duration::from_mins(1);
/// So many rows are read at once.
const PAGE: i64 = 5000;
/// What the driver calls it.
const SQLITE: &str = "SQLite";
/// So many pieces of a large save are packed at a time, and at most so many wait for the database.
const AHEAD: usize = 3;
/// Connections to a PostgreSQL server.
const CONNECTIONS: u32 = 4;

/// An open store.
#[derive(Debug)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    place: Box<str>,
    /// Keeps other daemons away from the file as long as the store is open.
    lock: Mutex<Option<Lock>>,
}

/// What was in a store.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Everything known when it was last saved.
    pub snapshot: Snapshot,
    /// Rows that this program did not write, and what was odd about the first of them. They are left out and erased.
    pub odd: Option<(usize, String)>,
}

impl Store {
    /// Opens the store at `sqlite:PATH` or `postgres://…`, makes it where there is none, and brings its tables up to
    /// date. A file is checked for damage, a large one without its history of messages.
    ///
    /// # Errors
    /// It cannot be read and written by this daemon now.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_checked(url, Check::Quick).await
    }

    /// The same for a store that turned out to be damaged while it was used: every page of it is looked at first.
    ///
    /// # Errors
    /// It cannot be read and written by this daemon now.
    pub async fn open_damaged(url: &str) -> Result<Self, StoreError> {
        Self::open_checked(url, Check::Whole).await
    }

    async fn open_checked(url: &str, check: Check) -> Result<Self, StoreError> {
        let address =
            Address::parse(url).map_err(|trouble| StoreError { place: "`store.url`".into(), trouble })?;
        let limit = if check == Check::Quick { OPEN_LIMIT } else { WORK_LIMIT };
        let opened = tokio::time::timeout(limit, Self::open_at(&address, check)).await;
        let opened = opened.unwrap_or(Err(Trouble::Silent));
        opened.map_err(|trouble| StoreError { place: address.shown(), trouble })
    }

    async fn open_at(address: &Address, check: Check) -> Result<Self, Trouble> {
        install_default_drivers();
        let (kind, place) = (address.kind(), address.shown());
        let lock = match address {
            Address::File(path) => Some(lock::take(path)?),
            Address::Server { .. } => None,
        };
        let options = AnyConnectOptions::from_str(address.url().expose());
        let options = options.map_err(|error| Trouble::of(kind, &error))?.disable_statement_logging();
        // The pool would hide why it cannot connect.
        let mut first =
            AnyConnection::connect_with(&options).await.map_err(|error| Trouble::of(kind, &error))?;
        prove::works(&mut first, kind, check).await.map_err(|error| Trouble::of(kind, &error))?;
        schema::migrate(&mut first, kind).await?;
        first.close().await.map_err(|error| Trouble::of(kind, &error))?;
        Ok(Self { pool: pool(kind, options), kind, place, lock: Mutex::new(lock) })
    }

    /// Reads everything. Looks that were planned are put on the timeline that began at `timeline_start`. Rows that overlap
    /// are written anew.
    ///
    /// Where several daemons share a database, another may write between two pages; each row is whole all the same.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn load(&self, timeline_start: DateTime<Utc>) -> Result<Loaded, StoreError> {
        self.within_limit(async {
            let mut work = self.begin().await?;
            let mut reader = Reader { words: Interner::default(), odd: OddRows::default(), timeline_start };
            let snapshot = reader.snapshot(&mut work).await?;
            work.commit().await?;
            Ok(Loaded { snapshot, odd: reader.odd.found })
        })
        .await
    }

    /// Writes what changed: all of it or nothing, unless it is much (`pieces`). `timeline_start` is the wall time at which
    /// the timeline of the looks planned in it is zero.
    ///
    /// # Errors
    /// The database cannot be written. After that, what it holds is to be read anew: an answer may have been lost.
    pub async fn save(
        &self,
        change: &Difference<'_>,
        timeline_start: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.within_limit(async {
            let pieces = pieces::of(change);
            let mut packing = pieces.iter().map(|piece| pack(piece.chunks, timeline_start));
            let mut ahead = VecDeque::with_capacity(AHEAD);
            for piece in &pieces {
                ahead.extend(packing.by_ref().take(AHEAD - ahead.len()));
                let rows = ahead.pop_front().expect("there is one for each piece");
                let rows = rows.await.map_err(|_| Error::WorkerCrashed)?;
                let mut work = self.begin().await?;
                write(&mut work, piece, &rows).await?;
                work.commit().await?;
            }
            Ok(())
        })
        .await
    }

    /// Lets go of the database, orderly: waits for what is under way. Whoever still has the store gets an error from it.
    pub async fn close(&self) {
        // Taken now, so that it goes also when nobody waits for the rest, and though others still have the store.
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.pool.close().await;
    }

    /// Nobody else can open it as long as this one is open: a file has a lock, a database on a server has none.
    pub fn is_ours_alone(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The file, or the address of the server without its password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// SQLite asks for the right to write at once: a transaction that asks later can be refused in the middle.
    async fn begin(&self) -> Result<Transaction<'static, Any>, Error> {
        match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        }
    }

    async fn within_limit<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let trouble = match tokio::time::timeout(WORK_LIMIT, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Trouble::of(self.kind, &error),
            Err(_) => Trouble::Silent,
        };
        Err(StoreError { place: self.place.clone(), trouble })
    }
}

fn pool(kind: Kind, options: AnyConnectOptions) -> AnyPool {
    let pool = AnyPoolOptions::new().acquire_timeout(OPEN_LIMIT);
    let pool = match kind {
        Kind::Sqlite => pool.max_connections(1).idle_timeout(None).max_lifetime(None),
        Kind::Postgres => pool.max_connections(CONNECTIONS),
    };
    pool.after_connect(move |connection, _| Box::pin(prove::set_up(connection, kind)))
        .connect_lazy_with(options)
}

async fn write(connection: &mut AnyConnection, change: &Piece<'_>, chunks: &[ChunkRow]) -> Result<(), Error> {
    for scope in change.gone_scopes.iter().chain(change.fresh_scopes) {
        erase_scope(connection, &words::scope_key(scope)).await?;
    }
    for placeholder in change.gone_regions {
        let key = words::scope_key(placeholder);
        sqlx::query(statements::ERASE_REGIONS).bind(key).execute(&mut *connection).await?;
    }
    in_batches(connection, &statements::WRITE_CHUNKS, chunks, rows::bind_chunk).await?;
    in_batches(connection, &statements::ERASE_CHUNKS, change.gone_chunks, rows::bind_chunk_key).await?;
    in_batches(connection, &statements::WRITE_SCOPES, change.scopes, rows::bind_scope).await?;
    in_batches(connection, &statements::WRITE_REGIONS, change.regions, rows::bind_regions).await
}

/// Packs chunks on a thread of their own, which takes longer than to write them: others pack meanwhile.
fn pack(chunks: &[(&Scope, &Arc<Chunk>)], timeline_start: DateTime<Utc>) -> JoinHandle<Vec<ChunkRow>> {
    let chunks = chunks.iter().map(|(scope, chunk)| (words::scope_key(scope), Arc::clone(chunk)));
    let chunks: Vec<_> = chunks.collect();
    let pack = move |(scope, chunk): (_, Arc<Chunk>)| ChunkRow::of(scope, &chunk, timeline_start);
    spawn_blocking(move || chunks.into_iter().map(pack).collect())
}

/// Writes all of a scope.
async fn write_shelf(
    connection: &mut AnyConnection,
    key: &str,
    shelf: &Shelf,
    timeline_start: DateTime<Utc>,
) -> Result<(), Error> {
    let rows = shelf.chunks().map(|chunk| ChunkRow::of(key.to_owned(), chunk, timeline_start));
    in_batches(connection, &statements::WRITE_CHUNKS, &rows.collect::<Vec<_>>(), rows::bind_chunk).await
}

async fn erase_scope(connection: &mut AnyConnection, key: &str) -> Result<(), Error> {
    for statement in [statements::ERASE_RESOURCES, statements::ERASE_SCOPE] {
        sqlx::query(statement).bind(key.to_owned()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Rows are turned into values batch by batch, so that a large change never holds a thread for long.
async fn in_batches<R>(
    connection: &mut AnyConnection,
    statements: &'static Batched,
    rows: &[R],
    bind: impl Fn(Statement, &R) -> Statement,
) -> Result<(), Error> {
    let texts = statements.for_kind(connection.backend_name() == SQLITE);
    for (size, batch) in batches(rows) {
        let statement = batch.iter().fold(sqlx::query(texts[size].as_str()), &bind);
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The rows by the sizes of [`BATCHES`], largest first, and the place of the size in it.
fn batches<R>(mut rows: &[R]) -> impl Iterator<Item = (usize, &[R])> {
    std::iter::from_fn(move || {
        let size = BATCHES.iter().position(|size| *size <= rows.len() && !rows.is_empty())?;
        let batch;
        (batch, rows) = rows.split_at(BATCHES[size]);
        Some((size, batch))
    })
}

/// Reads a whole store.
struct Reader {
    words: Interner,
    odd: OddRows,
    timeline_start: DateTime<Utc>,
}

impl Reader {
    async fn snapshot(&mut self, connection: &mut AnyConnection) -> Result<Snapshot, Error> {
        single::take_over(connection, self.timeline_start, &mut self.words, &mut self.odd).await?;
        let regions_listed = self.regions(connection).await?;
        let mut scopes = BTreeMap::new();
        for row in sqlx::query(statements::READ_SCOPES).fetch_all(&mut *connection).await? {
            let key = rows::Fields::of(&row).text()?.to_owned();
            match rows::read_scope(&row, &mut self.words)? {
                Ok((scope, mut head)) => {
                    let odd = self.odd.count();
                    let resources = self.shelf(connection, &key).await?;
                    if self.odd.count() > odd {
                        // what they held is known again after a listing, and nothing is taken for gone before
                        head.listed_at = None;
                    }
                    let view = head.with_shelf(resources);
                    scopes.insert(Arc::new(scope), Arc::new(view));
                }
                Err(odd) => {
                    self.odd.note(|| format!("{key}: {odd}"));
                    erase_scope(connection, &key).await?;
                }
            }
        }
        Ok(Snapshot { scopes, regions_listed, ..Snapshot::default() })
    }

    async fn shelf(&mut self, connection: &mut AnyConnection, key: &str) -> Result<Shelf, Error> {
        let mut found = scope_rows::read(connection, key, self.timeline_start, &mut self.words).await?;
        for (first_id, odd) in std::mem::take(&mut found.odd) {
            self.odd.note(|| format!("{key}/{first_id}: {odd}"));
            let statement = sqlx::query(statements::ERASE_CHUNKS.for_one());
            statement.bind(key.to_owned()).bind(first_id).execute(&mut *connection).await?;
        }
        let mended = match found.shelf() {
            Ok(fitting) => return Ok(fitting),
            Err(mended) => mended,
        };
        let erase = sqlx::query(statements::ERASE_RESOURCES).bind(key.to_owned());
        erase.execute(&mut *connection).await?;
        write_shelf(connection, key, &mended, self.timeline_start).await?;
        Ok(mended)
    }

    async fn regions(
        &mut self,
        connection: &mut AnyConnection,
    ) -> Result<BTreeMap<Arc<Scope>, RegionList>, Error> {
        let mut lists = BTreeMap::new();
        for row in sqlx::query(statements::READ_REGIONS).fetch_all(&mut *connection).await? {
            let key = rows::Fields::of(&row).text()?.to_owned();
            match rows::read_regions(&row, &mut self.words)? {
                Ok((scope, list)) => drop(lists.insert(Arc::new(scope), list)),
                Err(odd) => {
                    self.odd.note(|| format!("{key}: {odd}"));
                    sqlx::query(statements::ERASE_REGIONS).bind(key).execute(&mut *connection).await?;
                }
            }
        }
        Ok(lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_the_largest_batches_there_are() {
        let sizes = |rows: usize| -> Vec<usize> {
            batches(&vec![(); rows])
                .map(|(size, batch)| {
                    assert_eq!(batch.len(), BATCHES[size]);
                    batch.len()
                })
                .collect()
        };
        assert_eq!(sizes(0), Vec::<usize>::new());
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(212), [100, 100, 10, 1, 1]);
    }
}
