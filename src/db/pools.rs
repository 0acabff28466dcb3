//! The connections to the database.

use anyhow::{bail, ensure};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, FromRow};

use super::file::OpenedFile;
use super::transaction::{Connection, Selection, Transaction, Work, run};

/// The connections, and what database is behind them.
#[derive(Clone)]
pub(crate) struct Pools {
    pub(super) dialect: Dialect,
    /// For transactions alone: see [`Pools::begin`]. One connection for SQLite, which has one writer at a time, and
    /// waiting here is fair where its lock is not.
    pub(super) writer: AnyPool,
    /// For everything else.
    pub(super) reader: AnyPool,
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
    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self) -> anyhow::Result<Transaction> {
        self.check()?;
        let connection = Connection::of(&self.writer).await?;
        Ok(Transaction::begin(connection, self.begin).await?)
    }

    /// Runs a query that changes nothing.
    pub(super) async fn fetch<R>(&self, query: Selection<'_, R>) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let mut connection = Connection::of(&self.reader).await?;
        let rows = run(Work::Statement, query.fetch_all(connection.open())).await?;
        connection.is_good();
        Ok(rows)
    }

    /// Fails when it is known, without asking the database, that nothing can be stored.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.writer.is_closed(), "the database was closed");
        self.file.as_ref().map_or(Ok(()), OpenedFile::is_in_place)
    }

    /// Waits for running queries and closes the connections. Queries after that fail.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
