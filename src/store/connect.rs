//! How the database is opened: an SQLite file of this machine's own, or a PostgreSQL that replicas share.

mod postgres;
mod sqlite;

use anyhow::bail;
use sqlx::{Any, AnyPool, Transaction};

pub(super) use sqlite::lock;

/// The connections, and what kind of database is behind them.
#[derive(Clone)]
pub(super) struct Pools {
    /// For everything that writes. One connection for SQLite, which has one writer at a time, and waiting here is fair
    /// where its lock is not.
    pub(super) writer: AnyPool,
    /// For everything else.
    pub(super) reader: AnyPool,
    pub(super) kind: Kind,
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
            // A deferred transaction that reads first cannot always be turned into a writing one.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

impl Pools {
    /// Begins a transaction that will write.
    ///
    /// In a task of its own: when its caller is dropped between `BEGIN` and the answer to it, sqlx would give the
    /// connection back as if nothing had happened, and whatever came next would be part of a transaction that nobody
    /// commits.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        let (pool, statement) = (self.writer.clone(), self.kind.begin());
        let begun = tokio::spawn(async move { pool.begin_with(statement).await }).await;
        begun.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

pub(super) async fn open(url: &str) -> anyhow::Result<Pools> {
    sqlx::any::install_default_drivers();
    let kind = Kind::of(url)?;
    let (writer, reader) = match kind {
        Kind::Sqlite => sqlite::open(url).await?,
        Kind::Postgres => postgres::open(url).await?,
    };
    Ok(Pools { writer, reader, kind })
}
