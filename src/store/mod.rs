//! What must survive a crash: webhooks on their way to Inngest, and the OAuth token pair.
//!
//! An embedded SQLite file. Queries keep to what PostgreSQL understands too (`$1`, `ON CONFLICT`, times as
//! milliseconds), so that a shared database can follow without a second set of them.

mod bodies;
mod cursor;
mod ids;
mod inbox;
mod oauth_states;
mod schema;
mod sqlite;
mod tokens;

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sqlx::{Sqlite, SqlitePool, Transaction};

pub use cursor::ReconcileCursor;
pub use inbox::{InboxCounts, InboxRow, ParkedRow};

use crate::clock::SharedClock;

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    /// One connection: SQLite has one writer at a time, and waiting here is fair where its lock is not.
    writer: SqlitePool,
    reader: SqlitePool,
    clock: SharedClock,
    ids: Arc<ids::Ids>,
}

impl Store {
    /// Opens the database at `url` (`sqlite://<path>`), creates it when there is none, and brings its tables
    /// up to date.
    pub async fn open(url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        let (writer, reader) = sqlite::open(url).await?;
        let store = Self { writer, reader, clock, ids: Arc::default() };
        store.migrate().await.context("the database could not be brought up to date")?;
        Ok(store)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        // Under the write lock, so that two processes that start at once do not both create the tables.
        let mut transaction = self.begin().await?;
        schema::migrate(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Waits for running queries and closes the file. Queries after that fail.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Begins a transaction that will write. It holds the one write lock until it ends: no waiting for
    /// anything else inside.
    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        // A deferred transaction that reads first cannot always be turned into a writing one.
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Connections for single statements that write.
    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Connections for queries.
    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// The time now, as stored.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// A stored time.
fn timestamp(milliseconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).context("a stored time is out of range")
}
