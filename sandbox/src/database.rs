use std::fmt::Write as _;

use anyhow::Context as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::net::lookup_host;
use ulid::Ulid;
use url::Url;

use crate::{Gate, HeldCommits};

/// An empty database: an SQLite file that is gone with this value, or a schema of its own in a PostgreSQL.
#[derive(Debug)]
pub struct Database {
    url: String,
    _folder: Option<TempDir>,
}

impl Database {
    /// On SQLite, or with `TEST_POSTGRES_URL=postgres://user@host/database` on that PostgreSQL, so that every test of what
    /// is stored runs on both.
    pub async fn new() -> anyhow::Result<Self> {
        match postgres() {
            Some(server) => Self::schema_on(&server).await,
            None => Self::file(),
        }
    }

    /// On SQLite.
    pub fn file() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        Ok(Self { url, _folder: Some(folder) })
    }

    /// On PostgreSQL. Tests that make sense only there are ignored unless they are asked for.
    pub async fn shared() -> anyhow::Result<Self> {
        Self::schema_on(&postgres().context("TEST_POSTGRES_URL names no PostgreSQL")?).await
    }

    async fn schema_on(server: &str) -> anyhow::Result<Self> {
        let schema = format!("test_{}", Ulid::generate().to_string().to_lowercase());
        let mut connection = connect(server).await?;
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await?;
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Ok(Self { url, _folder: None })
    }

    /// Its address, for `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A gate in front of this PostgreSQL, and the address that leads through it.
    pub async fn behind_gate(&self) -> anyhow::Result<(Gate, String)> {
        let mut url = Url::parse(&self.url)?;
        let host = url.host_str().context("the database has no host")?;
        let servers = lookup_host((host, url.port().unwrap_or(5432))).await?;
        let gate = Gate::to(servers.collect()).await?;
        let address = gate.address();
        url.set_ip_host(address.ip()).ok().context("the database has no host")?;
        url.set_port(Some(address.port())).ok().context("the database has no port")?;
        Ok((gate, url.into()))
    }

    /// From now on every change is taken and none can be committed, as on a full disk: each notes a reference to a row that
    /// does not exist, which is looked at when it is committed. It needs no rights, and works on both databases.
    pub async fn refuse_commits(&self) -> anyhow::Result<()> {
        const CONSTRAINT: &str = "CREATE TABLE missing (id BIGINT PRIMARY KEY); \
            CREATE TABLE refused (id BIGINT REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);";
        const FUNCTION: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
            AS $$ BEGIN INSERT INTO refused VALUES (1); RETURN NULL; END $$;";
        let mut connection = connect(&self.url).await?;
        let (tables, refuse, mut statements) = if connection.backend_name() == "PostgreSQL" {
            let tables =
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
            let refuse = "FOR EACH ROW EXECUTE FUNCTION refuse()";
            (tables, refuse, format!("{CONSTRAINT} {FUNCTION}"))
        } else {
            let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
            (tables, "BEGIN INSERT INTO refused VALUES (1); END", CONSTRAINT.to_owned())
        };
        let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut connection).await?;
        for (table,) in tables {
            for change in ["INSERT", "UPDATE", "DELETE"] {
                let name = format!("refuse_{table}_{change}");
                write!(statements, "CREATE TRIGGER {name} AFTER {change} ON {table} {refuse};")?;
            }
        }
        connection.execute(AssertSqlSafe(statements)).await?;
        Ok(())
    }

    /// The row exists: from now on changes are committed.
    pub async fn accept_commits(&self) -> anyhow::Result<()> {
        connect(&self.url).await?.execute("INSERT INTO missing VALUES (1)").await?;
        Ok(())
    }

    /// From now on commits that have changed `table` take as long as the value lives that this returns, as on a disk that
    /// is very slow. On PostgreSQL, where a commit goes on without the process that asked for it.
    pub async fn hold_commits(&self, table: &str) -> anyhow::Result<HeldCommits> {
        HeldCommits::of(table, connect(&self.url).await?).await
    }
}

async fn connect(url: &str) -> anyhow::Result<AnyConnection> {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.context("the test database does not answer")
}

/// The PostgreSQL to test against.
#[expect(
    clippy::disallowed_methods,
    reason = "which database to test on is asked of the environment"
)]
fn postgres() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}
