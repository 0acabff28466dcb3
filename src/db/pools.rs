//! The connections to the database.

use std::time::Duration;

use anyhow::{bail, ensure};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, FromRow};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::Connection;
use super::file::OpenedFile;
use super::liveness::{Liveness, STATEMENT, Work, run};
use super::transaction::{Selection, Transaction};

/// The connections, and what database is behind them.
#[derive(Clone)]
pub(crate) struct Pools {
    pub(super) dialect: Dialect,
    /// For transactions alone: see [`Pools::begin`]. One connection for SQLite, which has one writer at a time, and
    /// waiting here is fair where its lock is not.
    pub(super) writer: AnyPool,
    /// For everything else.
    pub(super) reader: AnyPool,
    /// Which of the connections are still believed in.
    pub(super) liveness: Liveness,
    /// The statement that begins a transaction that will write.
    pub(super) begin: &'static str,
    /// The file, where the database is one.
    pub(super) file: Option<OpenedFile>,
}

/// Which database it is. All queries are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres)
        } else if url.starts_with("sqlite:") {
            Ok(Self::Sqlite)
        } else {
            bail!("only sqlite://<path> and postgres://... databases are supported")
        }
    }
}

impl Pools {
    /// Begins a transaction that will write, all of which must be over within `limit`.
    pub(super) async fn begin(&self, limit: Option<Duration>) -> anyhow::Result<Transaction> {
        self.check()?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let waiting = Connection::of(&self.writer, &self.liveness);
        let connection = match deadline {
            None => waiting.await?,
            Some(deadline) => {
                timeout_at(deadline, waiting).await.map_err(|_| sqlx::Error::PoolTimedOut)??
            }
        };
        Ok(Transaction::begin(connection, self.begin, deadline).await?)
    }

    /// Runs a query that changes nothing.
    pub(super) async fn fetch<R>(&self, query: Selection<'_, R>) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let mut connection = Connection::of(&self.reader, &self.liveness).await?;
        let (open, liveness) = connection.parts();
        let running = run(Work::Statement, query.fetch_all(open));
        let rows = liveness.within(STATEMENT, running).await?;
        connection.is_good();
        Ok(rows)
    }

    /// Fails when it is known, without asking the database, that nothing can be stored.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.writer.is_closed(), "the database was closed");
        self.file.as_ref().map_or(Ok(()), OpenedFile::is_in_place)
    }

    /// Waits for running queries, which have their deadlines, and closes the connections. Queries after that fail.
    pub(super) async fn close(&self) {
        let closing = async { tokio::join!(self.reader.close(), self.writer.close()) };
        // Where a connection does not even close, it ends with the process.
        let _ = timeout(STATEMENT, closing).await;
    }
}
