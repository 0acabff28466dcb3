//! What must survive a crash: webhooks on their way to Inngest, the deal ledger and the OAuth token pair.
//!
//! An SQLite file by default, PostgreSQL where several replicas run. There is one set of queries for both: `$1`,
//! `ON CONFLICT`, `RETURNING`, times as milliseconds. What differs is in `connect`.

pub(crate) mod connect;
mod file;
pub(crate) mod ids;
mod postgres;
mod schema;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod transaction;

use std::fs::File;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sqlx::AnyPool;

use crate::clock::SharedClock;
use connect::{Kind, Pools};
use transaction::{Statement, Transaction};

/// The database. Clones share it.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) clock: SharedClock,
    pub(crate) ids: Arc<ids::Ids>,
    /// Held by a service on an SQLite file, for as long as any clone lives.
    _lock: Option<Arc<File>>,
}

impl Db {
    /// Opens the database at `url` (`sqlite://<path>` or `postgres://...`), creates an SQLite file where there is none,
    /// and brings the tables up to date. For commands, which may run beside a service.
    pub async fn open(url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        Self::open_with(url, clock, None).await
    }

    /// The same for a service. An SQLite file can have one at a time: a second one is refused.
    pub async fn open_for_service(url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        match Kind::of(url)? {
            Kind::Postgres => Self::open(url, clock).await,
            Kind::Sqlite => {
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
        let pools = connect::open(url).await?;
        let ids: Arc<ids::Ids> = Arc::default();
        let store = Self { pools, clock, ids, _lock: lock };
        store.migrate().await.context("the database could not be brought up to date")?;
        Ok(store)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Under a lock, so that of several processes that start at once one creates the tables.
        let mut transaction = self.begin().await?;
        schema::migrate(&mut transaction, self.pools.kind).await?;
        Ok(transaction.commit().await?)
    }

    /// Waits for running queries and closes the database. Queries after that fail.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Whether other replicas may work on the same database.
    pub fn is_shared(&self) -> bool {
        self.pools.kind == Kind::Postgres
    }

    /// Begins a transaction that will write. Nothing else changes data.
    pub(crate) async fn begin(&self) -> anyhow::Result<Transaction> {
        self.pools.begin().await
    }

    /// Commits one statement. Returns how many rows it changed.
    pub(crate) async fn commit(&self, statement: Statement<'_>) -> anyhow::Result<u64> {
        let mut transaction = self.begin().await?;
        let changed = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Connections for queries that change nothing.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.pools.reader
    }

    /// The time now, as stored.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// The row of a query that has one whatever the tables hold.
pub(crate) fn only<R>(rows: Vec<R>) -> anyhow::Result<R> {
    rows.into_iter().next().context("the database has returned no row")
}

/// A stored time.
pub(crate) fn timestamp(milliseconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).context("a stored time is out of range")
}
