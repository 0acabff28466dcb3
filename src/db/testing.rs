//! A database for each test: an SQLite file, or with `TEST_POSTGRES_URL=postgres://user@host/database` a schema of its
//! own in that PostgreSQL, so that every test of a table runs on both.

use std::fmt::Write as _;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use ulid::Ulid;

use crate::clock::SharedClock;
use crate::db::Db;

/// Each change of each table refers to a row that does not exist, which is noticed when it is committed.
const CONSTRAINT: &str = "CREATE TABLE missing (id BIGINT PRIMARY KEY); \
    CREATE TABLE refused (id BIGINT REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);";

const POSTGRES_FUNCTION: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
    AS $$ BEGIN INSERT INTO refused VALUES (1); RETURN NULL; END $$;";

/// An empty database, on SQLite gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

impl Database {
    /// On SQLite, or where asked for on PostgreSQL.
    pub(crate) async fn new() -> Self {
        match postgres() {
            Some(server) => Self::on(&server).await,
            None => Self::file(),
        }
    }

    /// On PostgreSQL, for tests that make sense only there. They are marked `#[ignore]`.
    pub(crate) async fn shared() -> Self {
        Self::on(&postgres().expect("TEST_POSTGRES_URL must name a PostgreSQL")).await
    }

    fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        Self { url, _folder: Some(folder) }
    }

    async fn on(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let schema = format!("test_{}", Ulid::generate().to_string().to_lowercase());
        let mut connection = AnyConnection::connect(server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        connection.execute(create).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Self { url, _folder: None }
    }

    /// As a command opens it, or a replica.
    pub(crate) async fn open(&self, clock: SharedClock) -> Db {
        Db::open(&self.url, clock).await.unwrap()
    }

    /// From now on every change is taken and no commit succeeds, as on a full disk: a deferred constraint, which works
    /// on both databases and without any rights.
    pub(crate) async fn refuse_commits(&self) {
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        let postgres = connection.backend_name() == "PostgreSQL";
        let (query, refuse, mut statements) = if postgres {
            let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
            let refuse = "FOR EACH ROW EXECUTE FUNCTION refuse()";
            (query, refuse, format!("{CONSTRAINT} {POSTGRES_FUNCTION}"))
        } else {
            let query = "SELECT name FROM sqlite_master WHERE type = 'table'";
            (query, "BEGIN INSERT INTO refused VALUES (1); END", CONSTRAINT.to_owned())
        };
        let tables: Vec<(String,)> =
            sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
        for (table,) in tables {
            for change in ["INSERT", "UPDATE", "DELETE"] {
                let name = format!("refuse_{table}_{change}");
                write!(statements, "CREATE TRIGGER {name} AFTER {change} ON {table} {refuse};")
                    .unwrap();
            }
        }
        connection.execute(AssertSqlSafe(statements)).await.unwrap();
    }

    /// From now on commits succeed again: the row exists.
    pub(crate) async fn accept_commits(&self) {
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        connection.execute("INSERT INTO missing VALUES (1)").await.unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "which database to test on is asked of the environment"
)]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}
