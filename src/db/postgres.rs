//! The PostgreSQL database.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, Executor as _};

use super::pools::{Dialect, Pools};

/// Whatever the server's default is: what was answered 200 must survive the server's crash. No statement waits
/// for a lock for ever.
const PREPARE: &str = "SET synchronous_commit = on; SET lock_timeout = '30s'; \
                       SET idle_in_transaction_session_timeout = '5min'";

/// Enough for the parts of one replica; a pool that is exhausted makes callers wait, and a webhook be answered 503.
const CONNECTIONS: u32 = 10;

/// One pool for everything. The URL may ask for TLS, as `?sslmode=verify-full&sslrootcert=...`.
pub(super) async fn open(url: &str) -> anyhow::Result<Pools> {
    let options = AnyConnectOptions::from_str(url).context("the database URL cannot be read")?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(|connection: &mut AnyConnection, _| {
            Box::pin(async move { connection.execute(PREPARE).await.map(drop) })
        });
    // The address may hold a password: it is not repeated.
    let pool = pool.connect_with(options).await.context("cannot connect to PostgreSQL")?;
    let (writer, reader) = (pool.clone(), pool);
    Ok(Pools { dialect: Dialect::Postgres, writer, reader, begin: "BEGIN", file: None })
}
