//! Whether a database can be read and written, seen before anything relies on it.

use sqlx::{AnyConnection, Connection, Error};

use super::trouble::Kind;

/// A file up to this size is checked whole, in a fraction of a second.
const SMALL: i64 = 64 << 20;
const CHECK_ALL: &str = "PRAGMA quick_check(1)";
/// What is checked of a larger one: everything but the history of messages, which grows with the years and which nothing
/// but a list for people depends on.
const CHECK_SOME: &str = "SELECT quick_check FROM sqlite_schema, pragma_quick_check(name) WHERE type = 'table' AND name <> 'outbox'";

/// How much of a file is looked at before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// What must be right for the daemon to go on where it was.
    Quick,
    /// Every page.
    Whole,
}

/// Sees whether it can be read and written.
pub(super) async fn works(connection: &mut AnyConnection, kind: Kind, check: Check) -> Result<(), Error> {
    set_up(connection, kind).await?;
    if kind == Kind::Postgres {
        return Ok(());
    }
    connection.begin_with("BEGIN IMMEDIATE").await?.rollback().await?;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await?;
    let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
    let whole = check == Check::Whole || pages.saturating_mul(size) <= SMALL;
    let check = if whole { CHECK_ALL } else { CHECK_SOME };
    let found: Vec<String> = sqlx::query_scalar(check).fetch_all(&mut *connection).await?;
    match found.into_iter().find(|found| found != "ok") {
        Some(found) => Err(Error::Decode(found.into())),
        None => Ok(()),
    }
}

/// So many pages of 4 KiB may stand in the file beside the database before they go into it: a fleet of a hundred thousand.
/// By default a thousand, so that a large save would write everything twice and wait for the disk twice as often.
const CHECKPOINT: &str = "PRAGMA wal_autocheckpoint = 8192";

/// Every committed transaction is on the disk, also when the power goes.
pub(super) async fn set_up(connection: &mut AnyConnection, kind: Kind) -> Result<(), Error> {
    if kind == Kind::Sqlite {
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut *connection).await?;
        sqlx::query(CHECKPOINT).execute(&mut *connection).await?;
    }
    Ok(())
}
