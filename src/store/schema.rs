//! The tables and how they came to be: numbered migrations, each applied once, in order, and never edited afterwards.
//!
//! One text serves both databases, so columns are only `BIGINT` (numbers; times in milliseconds since 1970, UTC) and
//! `TEXT` (words; JSON where a value has parts). On PostgreSQL several daemons may migrate at once: `sqlx` takes an
//! advisory lock. On SQLite the lock file keeps others away.

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};

use super::trouble::{Kind, Trouble};

/// The newest migration that this version knows.
pub(super) const VERSION: i64 = 2;

/// Brings the database up to [`VERSION`].
pub(super) async fn migrate(connection: &mut AnyConnection, kind: Kind) -> Result<(), Trouble> {
    let migrations = [
        (1, "known", include_str!("migrations/1_known.sql")),
        (VERSION, "alerts", include_str!("migrations/2_alerts.sql")),
    ];
    let migrations = migrations.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    let outcome = Migrator::with_migrations(migrations.into()).run_direct(None, connection, false).await;
    match outcome {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => Err(newer(connection).await),
        Err(MigrateError::ExecuteMigration(error, _)) => Err(match Trouble::of(kind, &error) {
            Trouble::Refused(text) => Trouble::Foreign(text),
            trouble => trouble,
        }),
        Err(MigrateError::Execute(error)) => Err(Trouble::of(kind, &error)),
        Err(error) => Err(Trouble::Foreign(error.to_string())),
    }
}

async fn newer(connection: &mut AnyConnection) -> Trouble {
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    let newest = applied.ok().and_then(|applied| applied.iter().map(|migration| migration.version).max());
    Trouble::Newer { found: newest.unwrap_or(VERSION + 1), known: VERSION }
}
