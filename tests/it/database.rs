//! A database for each test, see [`sandbox::Database`].

use std::sync::Arc;

use prometei_flow::clock::SharedClock;
use prometei_flow::db::Db;

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) database: Arc<sandbox::Database>,
}

impl Database {
    /// On SQLite, or where asked for on PostgreSQL.
    pub(crate) async fn new() -> Self {
        Self::of(sandbox::Database::new().await.unwrap())
    }

    /// On SQLite.
    pub(crate) fn file() -> Self {
        Self::of(sandbox::Database::file().unwrap())
    }

    /// On PostgreSQL. Tests that make sense only there are ignored unless they are asked for.
    pub(crate) async fn shared() -> Self {
        let shared = sandbox::Database::shared().await.unwrap();
        Self::of(shared.unwrap_or_else(|| panic!("TEST_POSTGRES_URL names no PostgreSQL")))
    }

    fn of(database: sandbox::Database) -> Self {
        Self { url: database.url().to_owned(), database: Arc::new(database) }
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }
}
