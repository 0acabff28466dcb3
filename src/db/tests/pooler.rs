//! PgBouncer in front of PostgreSQL.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{DEADLINE, free_address};
use tempfile::TempDir;
use url::Url;

use super::clock;
use crate::db::Db;
use crate::db::testing::Database;

/// A PgBouncer in front of a database of its own, stopped with this value.
struct PgBouncer {
    process: Child,
    url: String,
    _database: Database,
    _folder: TempDir,
}

impl PgBouncer {
    async fn start(mode: &str, more: &str) -> Self {
        let database = Database::shared().await;
        let server = Url::parse(database.url()).unwrap();
        let (folder, port) = (tempfile::tempdir().unwrap(), free_address().await.unwrap().port());
        // It runs as another user when it is started by root.
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), readable).unwrap();
        let (host, name) = (server.host_str().unwrap(), server.path().trim_start_matches('/'));
        let schema = server.query_pairs().find_map(|(key, value)| {
            (key == "options")
                .then(|| value.trim_start_matches("-c ").replace("-csearch", "search"))
        });
        let (_, schema) = schema.as_deref().unwrap().split_once('=').unwrap();
        let mut settings = format!(
            "[databases]\n{name} = host={host} port={} user={} connect_query='SET search_path TO {schema}'\n",
            server.port().unwrap_or(5432),
            server.username(),
        );
        write!(
            settings,
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             ignore_startup_parameters = extra_float_digits\nserver_reset_query = DEALLOCATE ALL\n\
             pool_mode = {mode}\n{more}\n"
        )
        .unwrap();
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        if rustix::process::getuid().is_root() {
            command.args(["--user", "postgres"]);
        }
        let output = Stdio::null();
        let process = command.arg("--quiet").arg(&file).stderr(output).spawn();
        let process = process.expect("needs pgbouncer: see CONTRIBUTING.md");
        let url = format!("postgres://{}@127.0.0.1:{port}/{name}", server.username());
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(started.elapsed() < DEADLINE, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { process, url, _database: database, _folder: folder }
    }

    async fn open(&self) -> anyhow::Result<Db> {
        tokio::time::timeout(DEADLINE, Db::open(&self.url, clock())).await.unwrap()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and pgbouncer: see CONTRIBUTING.md"]
async fn a_pooler_that_gives_each_transaction_another_session_is_refused() {
    for (mode, more) in [
        ("transaction", ""),
        ("transaction", "default_pool_size = 1"),
        ("transaction", "min_pool_size = 10\nserver_round_robin = 1"),
        ("statement", ""),
    ] {
        let pooler = PgBouncer::start(mode, more).await;
        // It must not depend on luck, nor on what others have left behind.
        for _ in 0..5 {
            let error = format!("{:#}", pooler.open().await.err().expect("refused"));
            assert!(error.contains("Set pool_mode=session"), "{mode} {more}: {error}");
        }
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and pgbouncer: see CONTRIBUTING.md"]
async fn a_pooler_that_gives_each_connection_a_session_is_as_good_as_none() {
    let pooler = PgBouncer::start("session", "").await;
    for _ in 0..5 {
        let db = pooler.open().await.unwrap();
        db.commit(sqlx::query("UPDATE write_probe SET content = content")).await.unwrap();
        db.close().await;
    }
}
