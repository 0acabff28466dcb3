//! The SQLite file.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, Executor as _};
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::file::{OpenedFile, create_private, path};
use super::liveness::{Liveness, STATEMENT, Work, run};
use super::pools::{Dialect, Pools};

/// An answer of 200 is a promise: a commit must have reached the disk, not only the WAL's cache.
///
/// Said anew by each transaction, and not once for each connection: setting it reads the file, which fails on a full
/// disk, and a pool that cannot prepare a connection tries for half a minute and then does not say why.
///
/// A deferred transaction that reads first cannot always be turned into a writing one, hence `IMMEDIATE`.
const BEGIN: &str = "PRAGMA synchronous = FULL; BEGIN IMMEDIATE";

/// Kept in the file.
const JOURNAL: &str = "PRAGMA journal_mode = WAL";

/// sqlx itself switches foreign keys on, and lets commands beside the service wait five seconds for its transactions,
/// and it for theirs.
const READER: &str = "PRAGMA query_only = ON";

pub(super) async fn open(url: &str) -> anyhow::Result<Pools> {
    let path = path(url)?;
    create_private(&path)
        .with_context(|| format!("cannot create the database {}", path.display()))?;
    let options = AnyConnectOptions::from_str(url).context("the database URL cannot be read")?;
    let opening = || format!("cannot open the database {}", path.display());
    let writer = AnyPoolOptions::new().max_connections(1).acquire_timeout(STATEMENT);
    let writer = writer.connect_with(options.clone());
    let writer = open_pool(writer).await.with_context(opening)?;
    let liveness = Liveness::default();
    let mut connection = Connection::of(&writer, &liveness).await.with_context(opening)?;
    keep_a_log(connection.parts().0).await.with_context(opening)?;
    connection.is_good();
    let reader = AnyPoolOptions::new().max_connections(4).acquire_timeout(STATEMENT).after_connect(
        |connection: &mut AnyConnection, _| {
            Box::pin(async move { connection.execute(READER).await.map(drop) })
        },
    );
    let reader = reader.connect_lazy_with(options);
    let file = Some(OpenedFile::at(path.clone()).with_context(opening)?);
    Ok(Pools { dialect: Dialect::Sqlite, writer, reader, liveness, begin: BEGIN, file })
}

/// Switches the file to its write-ahead log. SQLite does not wait for another program that is at the same, as it does for
/// transactions: it refuses at once.
async fn keep_a_log(connection: &mut AnyConnection) -> sqlx::Result<()> {
    /// How soon it is tried again.
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + STATEMENT;
    loop {
        match run(Work::Statement, connection.execute(JOURNAL)).await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            result => return result.map(drop),
        }
    }
}

/// Whether another program has the file, in any of SQLite's ways to say so.
fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}

/// Opens a pool's first connection; in a simulated world while its time stands still.
async fn open_pool(
    opening: impl Future<Output = sqlx::Result<sqlx::AnyPool>>,
) -> sqlx::Result<sqlx::AnyPool> {
    #[cfg(test)]
    if crate::simulator::current().is_some() {
        return crate::simulator::at_once(opening);
    }
    opening.await
}

#[cfg(test)]
mod tests {
    /// The one value that a pragma has.
    async fn pragma<T>(
        transaction: &mut crate::db::transaction::Transaction,
        query: &'static str,
    ) -> T
    where
        (T,): for<'r> sqlx::FromRow<'r, sqlx::any::AnyRow> + Send + Unpin,
    {
        let mut values: Vec<(T,)> = transaction.fetch(sqlx::query_as(query)).await.unwrap();
        values.remove(0).0
    }

    #[tokio::test]
    async fn commits_reach_the_disk_and_readers_cannot_write() {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let pools = super::open(&url).await.unwrap();
        let mut transaction = pools.begin(None).await.unwrap();
        let mode: String = pragma(&mut transaction, "PRAGMA journal_mode").await;
        let full: i64 = pragma(&mut transaction, "PRAGMA synchronous").await;
        let keys: i64 = pragma(&mut transaction, "PRAGMA foreign_keys").await;
        let waits: i64 = pragma(&mut transaction, "PRAGMA busy_timeout").await;
        assert_eq!((mode.as_str(), full, keys, waits), ("wal", 2, 1, 5000));
        assert!(sqlx::query("CREATE TABLE t (id INTEGER)").execute(&pools.reader).await.is_err());
    }
}
