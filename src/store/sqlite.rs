//! How the SQLite file is opened.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// How long a statement waits for another process (`doctor`, a second replica) to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The writing and the reading connections.
pub(super) async fn open(url: &str) -> anyhow::Result<(SqlitePool, SqlitePool)> {
    if !url.starts_with("sqlite:") {
        bail!("only sqlite://<path> databases are supported");
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        bail!("a database in memory would lose what was answered 200; give a file");
    }
    let options = SqliteConnectOptions::from_str(url)
        .context("the database URL cannot be read")?
        .journal_mode(SqliteJournalMode::Wal)
        // An answer of 200 is a promise: a commit must have reached the disk, not only the WAL's cache.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let path = options.get_filename().to_owned();
    create_private(&path)
        .with_context(|| format!("cannot create the database {}", path.display()))?;

    let opening = || format!("cannot open the database {}", path.display());
    let writer = SqlitePoolOptions::new().max_connections(1);
    let writer = writer.connect_with(options.clone()).await.with_context(opening)?;
    let reader = SqlitePoolOptions::new().max_connections(4).min_connections(0);
    let reader = reader.connect_lazy_with(options.pragma("query_only", "ON"));
    Ok((writer, reader))
}

/// Creates the file, readable by its owner alone: it will hold tokens. SQLite gives the files that it puts
/// next to it the same rights. An existing file stays as it is.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn commits_reach_the_disk_and_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let (writer, reader) = super::open(&url).await.unwrap();
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&writer).await.unwrap();
        let full: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&writer).await.unwrap();
        let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&writer).await.unwrap();
        assert_eq!((mode.as_str(), full, keys), ("wal", 2, 1));
        assert!(sqlx::query("CREATE TABLE t (id INTEGER)").execute(&reader).await.is_err());
    }
}
