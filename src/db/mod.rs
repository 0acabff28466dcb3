//! The database: opened, brought up to date, and changed in transactions. It knows no table of any feature.
//!
//! An SQLite file by default, PostgreSQL where several replicas run. There is one set of queries for both: `$1`,
//! `ON CONFLICT`, `RETURNING`, times as milliseconds.

mod connection;
pub(crate) mod copy;
mod file;
mod ids;
mod liveness;
mod pooler;
mod pools;
mod postgres;
mod schema;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod time;
mod transaction;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sqlx::FromRow;
use sqlx::any::AnyRow;

use crate::clock::{Clock as _, SharedClock};
use crate::metrics::Durations;
use crate::trouble::Trouble;
use ids::Ids;
#[cfg(test)]
pub(crate) use liveness::Work;
use pools::{Dialect, Pools};
use time::DatabaseClock;
pub(crate) use time::{LARGEST_SKEW, off_by};
use transaction::Statement;
pub(crate) use transaction::{Selection, Transaction};

/// The database. Clones share it.
#[derive(Clone)]
pub(crate) struct Db {
    pools: Pools,
    clock: Arc<DatabaseClock>,
    ids: Arc<Ids>,
    durations: Durations,
    /// Held by a service on an SQLite file, until the database is closed or the last clone is gone.
    lock: Option<Arc<File>>,
}

impl Db {
    /// Opens the database at `url` (`sqlite://<path>` or `postgres://...`), creates an SQLite file where there is none,
    /// and brings the tables up to date. For commands, which may run beside a service.
    pub(crate) async fn open(url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        Self::open_with(url, clock, None).await
    }

    /// The same for a service. An SQLite file can have one at a time: a second one is refused.
    pub(crate) async fn open_for_service(url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        match Dialect::of(url)? {
            Dialect::Postgres => Self::open(url, clock).await,
            Dialect::Sqlite => {
                let lock = file::lock(url)?;
                Self::open_with(url, clock, Some(Arc::new(lock))).await
            }
        }
    }

    async fn open_with(
        url: &str,
        clock: SharedClock,
        lock: Option<Arc<File>>,
    ) -> anyhow::Result<Self> {
        let db = Self::connect(url, clock, lock).await?;
        db.migrate().await.context("the database could not be brought up to date")?;
        Ok(db)
    }

    /// Opens the database and leaves its tables as they are.
    async fn connect(
        url: &str,
        clock: SharedClock,
        lock: Option<Arc<File>>,
    ) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let pools = match Dialect::of(url)? {
            Dialect::Sqlite => sqlite::open(url).await?,
            Dialect::Postgres => postgres::open(url).await?,
        };
        let clock = Arc::new(DatabaseClock::new(clock));
        let db = Self { pools, clock, ids: Arc::default(), durations: Durations::default(), lock };
        db.compare_clocks().await.context("the database's clock cannot be read")?;
        Ok(db)
    }

    /// The same database, measured by `durations`.
    pub(crate) fn measured(self, durations: Durations) -> Self {
        Self { durations, ..self }
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Under a lock, so that of several processes that start at once one creates the tables.
        let mut transaction = self.begin().await?;
        schema::migrate(&mut transaction, self.pools.dialect).await?;
        Ok(transaction.commit().await?)
    }

    /// Waits for running queries and closes the database. Queries after that fail.
    pub(crate) async fn close(&self) {
        self.pools.close().await;
        if let Some(lock) = &self.lock {
            // Where this fails, the lock ends with the process.
            let _ = lock.unlock();
        }
    }

    /// Fails when it is known, without asking the database, that nothing can be stored.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.pools.check()
    }

    /// Whether other replicas may work on the same database.
    pub(crate) fn is_shared(&self) -> bool {
        self.pools.dialect == Dialect::Postgres
    }

    /// Opens the file `<database>.<name>`, for a lock between processes; `None` where the database is no file.
    pub(crate) fn file_beside(&self, name: &str) -> anyhow::Result<Option<File>> {
        self.pools.file.as_ref().map(|file| file.open_beside(name)).transpose()
    }

    /// Begins a transaction that will write. Nothing else changes data.
    pub(crate) async fn begin(&self) -> anyhow::Result<Transaction> {
        self.begin_until(None).await
    }

    /// The same, where all of it, the commit included, must be over within `limit`.
    pub(crate) async fn begin_within(&self, limit: Duration) -> anyhow::Result<Transaction> {
        self.begin_until(Some(limit)).await
    }

    async fn begin_until(&self, limit: Option<Duration>) -> anyhow::Result<Transaction> {
        let timer = self.durations.begin([("operation", "write".into())]);
        match self.pools.begin(limit).await {
            Ok(transaction) => Ok(transaction.measured(timer)),
            Err(error) => {
                timer.ends("failed");
                Err(error)
            }
        }
    }

    /// Commits one statement. Returns how many rows it changed.
    pub(crate) async fn commit(&self, statement: Statement<'_>) -> anyhow::Result<u64> {
        let mut transaction = self.begin().await?;
        let changed = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Runs a query that changes nothing, and returns all its rows.
    pub(crate) async fn fetch<R>(&self, query: Selection<'_, R>) -> anyhow::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let timer = self.durations.begin([("operation", "read".into())]);
        let rows = self.pools.fetch(query).await;
        timer.ends(if rows.is_ok() { "done" } else { "failed" });
        Ok(rows?)
    }

    /// The clock that is the same for all who share the database: what is stored, and compared with what is stored, is
    /// read from it. PostgreSQL's, and that of this machine for an SQLite file.
    pub(crate) fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    /// The time now by [`clock`](Self::clock).
    pub(crate) fn time(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time now, as stored.
    pub(crate) fn now(&self) -> i64 {
        self.time().as_millisecond()
    }

    /// An id for a new row: a ULID, greater than every earlier one of this process.
    pub(crate) fn next_id(&self) -> String {
        self.ids.next(self.time())
    }
}

/// What is wrong with the database, and what to do.
pub(crate) fn trouble(error: &anyhow::Error) -> Trouble {
    Trouble::new(
        format!("{error:#}"),
        "check DATABASE_URL, the rights of the file and its folder, and the space on the disk",
    )
}

/// The row of a query that has one whatever the tables hold.
pub(crate) fn only<R>(rows: Vec<R>) -> anyhow::Result<R> {
    rows.into_iter().next().context("the database has returned no row")
}

/// A stored time.
pub(crate) fn timestamp(milliseconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).context("a stored time is out of range")
}
