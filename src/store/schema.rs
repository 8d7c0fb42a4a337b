//! The tables and how they came to be: numbered migrations, each applied once, in order, and never edited afterwards.
//!
//! One text serves both databases, so columns are only `BIGINT` (numbers; times in milliseconds since 1970, UTC; in
//! nanoseconds where rows are told apart by them, which is `renewal.changed_at` and `renewal_ledger.happened_at`),
//! `TEXT` (words; JSON where a value has parts) and `BYTEA` (`packed`; SQLite asks for no name of a type). On PostgreSQL several daemons may migrate at once: `sqlx` takes an
//! advisory lock. On SQLite the lock file keeps others away.

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};

use super::trouble::{Kind, Trouble};

/// The newest migration that this version knows.
pub(super) const VERSION: i64 = 5;

/// Brings the database up to [`VERSION`].
pub(super) async fn migrate(connection: &mut AnyConnection, kind: Kind) -> Result<(), Trouble> {
    let migrations = [
        (1, "known", include_str!("migrations/1_known.sql")),
        (2, "alerts", include_str!("migrations/2_alerts.sql")),
        (3, "renewals", include_str!("migrations/3_renewals.sql")),
        (4, "unanswered", include_str!("migrations/4_unanswered.sql")),
        (VERSION, "chunks", include_str!("migrations/5_chunks.sql")),
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

#[cfg(test)]
mod tests {
    use sqlx::Connection;
    use sqlx::any::install_default_drivers;

    use super::*;
    use crate::store::rows::Fields;
    use crate::store::statements;

    async fn plan(connection: &mut AnyConnection, statement: &str) -> String {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = sqlx::query(explain).fetch_all(connection).await.expect("a plan");
        let text = |row| {
            let mut fields = Fields::of(row);
            let _ = (fields.number(), fields.number(), fields.number());
            fields.text().expect("what is done").to_owned()
        };
        steps.iter().map(text).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_couriers_ask_often_looks_only_at_what_waits() {
        install_default_drivers();
        let mut connection = AnyConnection::connect("sqlite::memory:").await.expect("memory");
        migrate(&mut connection, Kind::Sqlite).await.expect("it is empty");
        for (name, statement, want) in [
            ("claim", statements::NEXT_MESSAGE, "outbox_waiting (state=? AND channel=?)"),
            ("next due", statements::NEXT_DUE, "outbox_waiting (state=? AND channel=?)"),
            ("queued", statements::QUEUED, "outbox_waiting (state=? AND channel=?)"),
            ("postpone", statements::POSTPONE, "outbox_waiting (state=? AND channel=?)"),
            ("undelivered", statements::UNDELIVERED, "outbox_history (state=?)"),
            ("heard", statements::HEARD, "outbox_history (state=? AND created_at>?)"),
            ("return sending", statements::RETURN_SENDING, "(state=?)"),
            ("count waiting", statements::COUNT_WAITING, "(state=?)"),
            ("count dead", statements::COUNT_DEAD, "outbox_history (state=?)"),
            ("list", statements::HISTORY, "outbox_history (state=? AND (created_at,id)<(?,?))"),
            ("prune", statements::PRUNE_OUTBOX, "outbox_history (state=? AND created_at<?)"),
        ] {
            let plan = plan(&mut connection, statement).await;
            assert!(plan.contains(want) && !plan.contains("SCAN outbox"), "{name}: {plan}");
        }
        let claim = plan(&mut connection, statements::NEXT_MESSAGE).await;
        assert!(!claim.contains("TEMP B-TREE"), "the index has the order: {claim}");
    }
}
