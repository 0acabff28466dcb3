//! How the database is opened: an SQLite file of this machine's own, or a PostgreSQL that replicas share.

mod file;
mod postgres;
mod sqlite;

use anyhow::{bail, ensure};
use sqlx::AnyPool;

use super::transaction::Transaction;
use file::OpenedFile;
pub(super) use file::lock;

/// The connections, and what kind of database is behind them.
#[derive(Clone)]
pub(super) struct Pools {
    /// For transactions alone: see [`Pools::begin`]. One connection for SQLite, which has one writer at a time, and
    /// waiting here is fair where its lock is not.
    writer: AnyPool,
    /// For everything else.
    pub(super) reader: AnyPool,
    pub(super) kind: Kind,
    /// The file, where the database is one.
    file: Option<OpenedFile>,
}

/// What differs between the databases, which is little: all queries are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres)
        } else if url.starts_with("sqlite:") {
            Ok(Self::Sqlite)
        } else {
            bail!("only sqlite://<path> and postgres://... databases are supported")
        }
    }

    /// How a transaction that will write begins.
    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => sqlite::BEGIN,
            Self::Postgres => "BEGIN",
        }
    }
}

impl Pools {
    /// Begins a transaction that will write.
    pub(super) async fn begin(&self) -> anyhow::Result<Transaction> {
        self.check()?;
        let connection = self.writer.acquire().await?;
        Ok(Transaction::begin(connection, self.kind.begin()).await?)
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

pub(super) async fn open(url: &str) -> anyhow::Result<Pools> {
    sqlx::any::install_default_drivers();
    match Kind::of(url)? {
        Kind::Sqlite => sqlite::open(url).await,
        Kind::Postgres => postgres::open(url).await,
    }
}
