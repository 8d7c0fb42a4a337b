//! An empty database of either kind, for one test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use notafter::domain::snapshot::Snapshot;
use notafter::store::{Loaded, Store};
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

use crate::postgres::Server;
use crate::support::moment;

/// A database.
pub(crate) struct Database {
    pub(crate) url: String,
    /// Name on the server.
    pub(crate) name: Option<String>,
    folder: Option<TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("notafter.db").display());
        Self { url, name: None, folder: Some(folder) }
    }

    pub(crate) fn postgres() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let server = Server::shared();
        server.administer(&format!("CREATE DATABASE {name}"));
        Self { url: server.url(&name), name: Some(name), folder: None }
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.as_ref().expect("SQLite").path().join("notafter.db")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is in it; times of next looks are counted from [`moment`].
    pub(crate) async fn content(&self) -> Snapshot {
        let store = self.open().await;
        let Loaded { snapshot, odd } = store.load(moment()).await.unwrap();
        store.close().await;
        assert_eq!(odd, None, "every row is readable");
        snapshot
    }

    /// As `sqlx` wants it; a file is made where there is none.
    pub(crate) fn connect_url(&self) -> String {
        match self.url.strip_prefix("sqlite:") {
            Some(path) => format!("sqlite://{path}?mode=rwc"),
            None => self.url.clone(),
        }
    }

    /// Runs a statement behind the back of the store.
    pub(crate) async fn meddle(&self, statement: &'static str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.connect_url()).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Each scenario becomes a test over SQLite and one over PostgreSQL.
macro_rules! over_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                super::$scenario(crate::database::Database::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                super::$scenario(crate::database::Database::postgres()).await;
            })*
        }
    };
}
pub(crate) use over_both;
