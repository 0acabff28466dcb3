//! The SQLite file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use anyhow::{Context as _, bail};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, Executor as _};

/// An answer of 200 is a promise: a commit must have reached the disk, not only the WAL's cache. Commands beside the
/// service wait for its transactions, and it for theirs.
const WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                      PRAGMA foreign_keys = ON;";
const READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// The writing and the reading connections.
pub(super) async fn open(url: &str) -> anyhow::Result<(AnyPool, AnyPool)> {
    let path = path(url)?;
    create_private(&path)
        .with_context(|| format!("cannot create the database {}", path.display()))?;
    let options = AnyConnectOptions::from_str(url).context("the database URL cannot be read")?;
    let opening = || format!("cannot open the database {}", path.display());
    let writer = prepared(AnyPoolOptions::new().max_connections(1), WRITER);
    let writer = writer.connect_with(options.clone()).await.with_context(opening)?;
    let reader = prepared(AnyPoolOptions::new().max_connections(4).min_connections(0), READER);
    Ok((writer, reader.connect_lazy_with(options)))
}

fn prepared(pool: AnyPoolOptions, statements: &'static str) -> AnyPoolOptions {
    pool.after_connect(move |connection: &mut AnyConnection, _| {
        Box::pin(async move { connection.execute(statements).await.map(drop) })
    })
}

/// Makes this process the only service on the file at `url`, until the returned file is closed or the process ends,
/// however it ends.
pub(in crate::store) fn lock(url: &str) -> anyhow::Result<File> {
    let mut path = path(url)?.into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    create_private(&path).and_then(|()| File::open(&path)).map_or_else(
        |error| Err(error).with_context(|| format!("cannot create {}", path.display())),
        |file| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => bail!(
                "another prometei-flow serves this database ({} is locked); stop it, or use PostgreSQL \
                 (DATABASE_URL=postgres://...) for several replicas",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        },
    )
}

fn path(url: &str) -> anyhow::Result<PathBuf> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        bail!("a database in memory would lose what was answered 200; give a file");
    }
    let options = SqliteConnectOptions::from_str(url).context("the database URL cannot be read")?;
    Ok(options.get_filename().to_owned())
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
        sqlx::any::install_default_drivers();
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

    #[test]
    fn a_file_has_one_service_and_the_next_one_may_follow() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let first = super::lock(&url).unwrap();
        let refused = super::lock(&url).unwrap_err().to_string();
        assert!(refused.starts_with("another prometei-flow serves this database"), "{refused}");
        drop(first);
        super::lock(&url).unwrap();
    }
}
