//! What a store is, in numbers, for those who look for a fault: no content of any row.

use sqlx::Error;

use super::rows::Fields;
use super::trouble::Kind;
use super::{Store, StoreError, schema};

/// The tables whose rows are counted; of resources, of which many share one, how many there are.
const TABLES: [(&str, &str); 9] = [
    ("scope", "SELECT COUNT(*) FROM scope"),
    ("resource", "SELECT CAST(COALESCE(SUM(resources), 0) AS BIGINT) FROM resource_chunk"),
    ("regions", "SELECT COUNT(*) FROM regions"),
    ("alert_memory", "SELECT COUNT(*) FROM alert_memory"),
    ("outbox", "SELECT COUNT(*) FROM outbox"),
    ("silence", "SELECT COUNT(*) FROM silence"),
    ("channel_note", "SELECT COUNT(*) FROM channel_note"),
    ("renewal", "SELECT COUNT(*) FROM renewal"),
    ("renewal_ledger", "SELECT COUNT(*) FROM renewal_ledger"),
];
const SQLITE_SIZE: &str = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
const POSTGRES_SIZE: &str = "SELECT pg_database_size(current_database())";
const SCHEMA: &str = "SELECT CAST(MAX(version) AS BIGINT) FROM _sqlx_migrations";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    /// The newest migration that was applied, and the newest that this version knows.
    pub schema: (i64, i64),
    /// How large it is, with the room that is free in it.
    pub bytes: i64,
    /// Rows by table; how many resources in those of resources.
    pub rows: Vec<(&'static str, i64)>,
}

impl Store {
    /// Counts what there is.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn facts(&self) -> Result<Facts, StoreError> {
        self.within_limit(async {
            let (kind, size) = match self.kind {
                Kind::Sqlite => ("sqlite", SQLITE_SIZE),
                Kind::Postgres => ("postgres", POSTGRES_SIZE),
            };
            let mut rows = Vec::with_capacity(TABLES.len());
            for (table, statement) in TABLES {
                rows.push((table, self.number(statement).await?));
            }
            let schema = (self.number(SCHEMA).await?, schema::VERSION);
            Ok(Facts { kind, schema, bytes: self.number(size).await?, rows })
        })
        .await
    }

    async fn number(&self, statement: &'static str) -> Result<i64, Error> {
        Fields::of(&sqlx::query(statement).fetch_one(&self.pool).await?).number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_store_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("notafter.db").display());
        let store = Store::open(&url).await.expect("opened");
        let facts = store.facts().await.expect("counted");
        assert_eq!((facts.kind, facts.schema), ("sqlite", (schema::VERSION, schema::VERSION)));
        assert!(facts.bytes > 4096 && facts.rows.iter().all(|(_, count)| *count == 0), "{facts:?}");
        store.close().await;
    }
}
