//! A database for each test, see [`sandbox::Database`].

use crate::clock::SharedClock;
use crate::db::Db;

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database(sandbox::Database);

impl Database {
    /// On SQLite, or where asked for on PostgreSQL.
    pub(crate) async fn new() -> Self {
        Self(sandbox::Database::new().await.unwrap())
    }

    /// On PostgreSQL, for tests that make sense only there; without `TEST_POSTGRES_URL` they are ignored.
    pub(crate) async fn shared() -> Self {
        Self(sandbox::Database::shared().await.unwrap())
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(self.0.url(), clock).await.unwrap()
    }

    /// From now on every change is taken and no commit succeeds, as on a full disk.
    pub(crate) async fn refuse_commits(&self) {
        self.0.refuse_commits().await.unwrap();
    }

    /// From now on commits succeed again.
    pub(crate) async fn accept_commits(&self) {
        self.0.accept_commits().await.unwrap();
    }
}

/// Makes `change` while nothing can be committed, and again when it can. Returns what is wrong with it.
pub(crate) async fn wrong_with(
    name: &str,
    change: impl AsyncFn() -> anyhow::Result<()>,
    database: &Database,
) -> Vec<String> {
    let mut wrong = Vec::new();
    database.refuse_commits().await;
    if change().await.is_ok() {
        wrong.push(format!("{name} said nothing of its failed commit"));
    }
    database.accept_commits().await;
    if let Err(error) = change().await {
        wrong.push(format!("{name} fails after a failed commit: {error:#}"));
    }
    wrong
}
