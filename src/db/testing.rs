//! A database for each test, see [`sandbox::Database`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::{Clock, SharedClock, SystemClock};
use crate::db::Db;

/// The clock of a machine that is so many seconds ahead.
pub(crate) struct Ahead(pub(crate) i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0)
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime()
    }

    fn follows_real_time(&self) -> bool {
        true
    }
}

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

    /// A gate in front of it, and the address that leads through it.
    pub(crate) async fn behind_gate(&self) -> (sandbox::Gate, String) {
        self.0.behind_gate().await.unwrap()
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

    /// From now on commits that have changed `table` take as long as the value lives that this returns.
    pub(crate) async fn hold_commits(&self, table: &str) -> sandbox::HeldCommits {
        self.0.hold_commits(table).await.unwrap()
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
