//! A database for each test: an SQLite file, or with `TEST_POSTGRES_URL=postgres://user@host/database` a schema of its
//! own in that PostgreSQL, so that every test of the store runs on both.

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
        match postgres() {
            Some(server) => Self::schema_on(&server).await,
            None => Self::file(),
        }
    }

    /// On SQLite.
    pub(crate) fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        Self { url, _folder: Some(Arc::new(folder)) }
    }

    /// On PostgreSQL. Tests that make sense only there are ignored unless they are asked for.
    pub(crate) async fn shared() -> Self {
        let server = postgres().unwrap_or_else(|| panic!("TEST_POSTGRES_URL names no PostgreSQL"));
        Self::schema_on(&server).await
    }

    async fn schema_on(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let schema = format!("test_{}", Ulid::generate().to_string().to_lowercase());
        let mut connection = AnyConnection::connect(server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        connection.execute(create).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Self { url, _folder: None }
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }
}

/// The PostgreSQL to test against.
#[expect(
    clippy::disallowed_methods,
    reason = "which database to test on is asked of the environment"
)]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}
