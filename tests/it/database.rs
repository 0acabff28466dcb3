//! A database for each test: an SQLite file, or with `TEST_POSTGRES_URL=postgres://user@host/database` a schema of its
//! own in that PostgreSQL, so that every test of the store runs on both.

use std::io::Write as _;
use std::sync::Arc;

use prometei_flow::clock::SharedClock;
use prometei_flow::db::Db;
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use ulid::Ulid;

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    _folder: Option<Arc<TempDir>>,
}

impl Database {
    /// On SQLite, or where asked for on PostgreSQL.
    pub(crate) async fn new() -> Self {
        match Self::shared().await {
            Some(shared) => shared,
            None => Self::file(),
        }
    }

    /// On SQLite.
    pub(crate) fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        Self { url, _folder: Some(Arc::new(folder)) }
    }

    /// On PostgreSQL, where there is one.
    pub(crate) async fn shared() -> Option<Self> {
        let server = postgres()?;
        sqlx::any::install_default_drivers();
        let schema = format!("test_{}", Ulid::generate().to_string().to_lowercase());
        let mut connection = AnyConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        connection.execute(create).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Some(Self { url, _folder: None })
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }
}

/// The PostgreSQL to test against; says why when there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "which database to test on is asked of the environment"
)]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// For tests that make sense only there.
pub(crate) async fn shared_or_skip(test: &str) -> Option<Database> {
    let shared = Database::shared().await;
    if shared.is_none() {
        // Past the test harness, which would keep it to itself.
        let mut out = std::io::stdout();
        writeln!(out, "skipped {test}: TEST_POSTGRES_URL names no PostgreSQL").unwrap();
    }
    shared
}
