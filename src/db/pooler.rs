//! A pooler in front of PostgreSQL that gives each transaction another session is found out when the database is opened.

use sqlx::{AnyConnection, AnyPool, Executor as _, Row as _};

/// What to do about one.
pub(super) const REFUSED: &str = "DATABASE_URL leads to a pooler that gives each transaction another session \
    (PgBouncer with pool_mode=transaction or statement): prepared statements and locks do not survive there. Set \
    pool_mode=session for this database, with 10 connections for each replica, or let DATABASE_URL lead to PostgreSQL itself";

/// Whether two of our connections, both open, have met in one session of the server.
///
/// Such a pooler gives a connection a session when it needs one, and takes it back. So while others hold sessions in a
/// transaction, one of them has got the session in which the first one was, or the first one gets another one than before.
pub(super) async fn shares_sessions(pool: &AnyPool) -> sqlx::Result<bool> {
    let mut asking = pool.acquire().await?;
    let (before, mut holders) = (session(&mut asking).await?, Vec::new());
    let mut shares = false;
    for _ in 0..2 {
        let mut holder = pool.acquire().await?;
        // Rolled back by its end.
        holder.close_on_drop();
        if let Err(error) = holder.execute("BEGIN").await {
            // In statement mode there are no transactions.
            return if refuses_transactions(&error) { Ok(true) } else { Err(error) };
        }
        let held = session(&mut holder).await?;
        holders.push(holder);
        shares = held == before || session(&mut asking).await? != before;
        if shares {
            break;
        }
    }
    Ok(shares)
}

/// The server's process behind the connection.
async fn session(connection: &mut AnyConnection) -> sqlx::Result<i32> {
    // In one message, not prepared: the second message might come into another session.
    let rows = connection.fetch_all("SELECT pg_backend_pid()").await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
}

/// PgBouncer, in statement mode.
fn refuses_transactions(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("statement pooling"))
}
