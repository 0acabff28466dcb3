//! A database for each test, see [`sandbox::Database`].

use prometei_flow::clock::SharedClock;
use prometei_flow::db::Db;

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) database: sandbox::Database,
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

    /// On PostgreSQL.
    pub(crate) async fn shared() -> Self {
        Self::of(sandbox::Database::shared().await.unwrap())
    }

    fn of(database: sandbox::Database) -> Self {
        Self { url: database.url().to_owned(), database }
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }
}
