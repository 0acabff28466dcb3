//! A database for each test, see [`sandbox::Database`].

use std::io::Write as _;
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

    /// On PostgreSQL, where there is one.
    pub(crate) async fn shared() -> Option<Self> {
        sandbox::Database::shared().await.unwrap().map(Self::of)
    }

    fn of(database: sandbox::Database) -> Self {
        Self { url: database.url().to_owned(), database: Arc::new(database) }
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }
}

/// For tests that make sense only there.
pub(crate) async fn shared_or_skip(test: &str) -> Option<Database> {
    let shared = Database::shared().await;
    if shared.is_none() {
        // Past the test harness, which would keep it to itself.
        let mut out = std::io::stdout();
        writeln!(out, "skipped {test}: TEST_POSTGRES_URL names no PostgreSQL").unwrap();
    }
    shared
}
