//! The PostgreSQL database.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::AnyConnection;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use tokio::time::timeout;

use super::liveness::{Liveness, PING, STATEMENT};
use super::pooler;
use super::pools::{Dialect, Pools};

/// Whatever the server's default is: what was answered 200 must survive the server's crash. No statement waits for a lock
/// longer than we wait for the statement. A transaction whose connection has fallen silent does not keep its locks: ours
/// never idle in between.
///
/// Said anew by each transaction, and not once for each connection: it must hold also where a pooler gives each
/// transaction another session.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '9s'; \
                     SET LOCAL idle_in_transaction_session_timeout = '20s'";

/// Enough for the parts of one replica; a pool that is exhausted makes callers wait, and a webhook be answered 503.
const CONNECTIONS: u32 = 10;

/// How old a connection may become: after a planned change of servers the old one answers reads for as long.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// One pool for everything. The URL may ask for TLS, as `?sslmode=verify-full&sslrootcert=...`.
pub(super) async fn open(url: &str) -> anyhow::Result<Pools> {
    let options = AnyConnectOptions::from_str(url).context("the database URL cannot be read")?;
    let liveness = Liveness::default();
    let asked = liveness.clone();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(STATEMENT)
        .max_lifetime(LIFETIME)
        // It would wait for an answer for ever.
        .test_before_acquire(false)
        .before_acquire(move |connection, found| {
            let asked = asked.clone();
            Box::pin(async move { Ok(!asked.doubts(found.age) && lives(connection, &asked).await) })
        });
    // The address may hold a password: it is not repeated.
    let pool = pool.connect_with(options).await.context("cannot connect to PostgreSQL")?;
    let asking = timeout(STATEMENT, pooler::shares_sessions(&pool));
    let shares = asking.await.context("PostgreSQL does not answer")?;
    anyhow::ensure!(!shares.context("cannot ask PostgreSQL for its sessions")?, pooler::REFUSED);
    let (writer, reader) = (pool.clone(), pool);
    Ok(Pools { dialect: Dialect::Postgres, writer, reader, liveness, begin: BEGIN, file: None })
}

/// Whether the connection answers. One that does not leaves none of the others believed in.
async fn lives(connection: &mut AnyConnection, liveness: &Liveness) -> bool {
    let asked = liveness.within(PING, sqlx::Connection::ping(connection)).await;
    if let Err(error) = &asked {
        tracing::info!(%error, "a connection to the database is replaced");
    }
    asked.is_ok()
}
