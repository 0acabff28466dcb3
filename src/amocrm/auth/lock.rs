//! The lock on the exchange of tokens, over all processes: the service, its replicas, and the commands beside it.

use std::fs::{File, TryLockError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::TokenError;
use crate::db::{Db, Transaction, only};

/// Longer than one that holds it may take: three calls of amoCRM and a few attempts to store the pair.
const PATIENCE: Duration = Duration::from_secs(60);

/// From one attempt to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Held while it lives. It ends with the process, however that ends.
#[expect(dead_code, reason = "held, not read")]
pub(super) enum ExchangeLock {
    /// A file beside an SQLite database.
    File(File),
    /// An advisory lock of PostgreSQL, which belongs to a transaction of its own.
    Transaction(Transaction),
}

/// Waits until no other process exchanges tokens.
pub(super) async fn lock_exchange(db: &Db) -> Result<ExchangeLock, TokenError> {
    let began = Instant::now();
    loop {
        let held = try_lock(db).await;
        let held = held.map_err(|error| TokenError::Database { reason: format!("{error:#}") })?;
        if let Some(held) = held {
            return Ok(held);
        }
        if began.elapsed() > PATIENCE {
            let reason = format!("another process has been at it for {PATIENCE:?}");
            return Err(TokenError::Transient { reason, retry_after: None });
        }
        // Not one long wait: it would hold up a shutdown, and run into the limits of a query.
        sleep(PAUSE).await;
    }
}

async fn try_lock(db: &Db) -> anyhow::Result<Option<ExchangeLock>> {
    match db.file_beside("tokens.lock")? {
        Some(file) => match file.try_lock() {
            Ok(()) => Ok(Some(ExchangeLock::File(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        },
        None => {
            let mut transaction = db.begin().await?;
            let lock =
                "SELECT CASE WHEN pg_try_advisory_xact_lock(7263402) THEN 1 ELSE 0 END::bigint";
            let (got,): (i64,) = only(transaction.fetch(sqlx::query_as(lock)).await?)?;
            if got == 1 {
                // It idles for as long as an exchange takes.
                let patience = "SET LOCAL idle_in_transaction_session_timeout = '3min'";
                transaction.execute(sqlx::query(patience)).await?;
                return Ok(Some(ExchangeLock::Transaction(transaction)));
            }
            transaction.commit().await?;
            Ok(None)
        }
    }
}
