//! How the database is opened: an SQLite file of this machine's own, or a PostgreSQL that replicas share.

use anyhow::{bail, ensure};
use sqlx::AnyPool;

use super::file::OpenedFile;
use super::transaction::Transaction;

/// The connections, and what kind of database is behind them.
#[derive(Clone)]
pub(crate) struct Pools {
    /// For transactions alone: see [`Pools::begin`]. One connection for SQLite, which has one writer at a time, and
    /// waiting here is fair where its lock is not.
    writer: AnyPool,
    /// For everything else.
    pub(crate) reader: AnyPool,
    pub(crate) kind: Kind,
    /// The file, where the database is one.
    file: Option<OpenedFile>,
}

/// What differs between the databases, which is little: all queries are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) fn of(url: &str) -> anyhow::Result<Self> {
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
            Self::Sqlite => super::sqlite::BEGIN,
            Self::Postgres => "BEGIN",
        }
    }
}

impl Pools {
    pub(crate) fn new(
        kind: Kind,
        writer: AnyPool,
        reader: AnyPool,
        file: Option<OpenedFile>,
    ) -> Self {
        Self { writer, reader, kind, file }
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self) -> anyhow::Result<Transaction> {
        self.check()?;
        let connection = self.writer.acquire().await?;
        Ok(Transaction::begin(connection, self.kind.begin()).await?)
    }

    /// Fails when it is known, without asking the database, that nothing can be stored.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.writer.is_closed(), "the database was closed");
        self.file.as_ref().map_or(Ok(()), OpenedFile::is_in_place)
    }

    /// Waits for running queries and closes the connections. Queries after that fail.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

pub(crate) async fn open(url: &str) -> anyhow::Result<Pools> {
    sqlx::any::install_default_drivers();
    match Kind::of(url)? {
        Kind::Sqlite => super::sqlite::open(url).await,
        Kind::Postgres => super::postgres::open(url).await,
    }
}
