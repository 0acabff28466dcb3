//! The pace of amoCRM's callers: one row, on which the replicas that share a database take turns.

use std::time::Duration;

use crate::db::{Db, only};

/// Takes the next turn to call amoCRM among all who share this database, `spacing` after the one before, and returns
/// how long it is until then. One process on a database of its own has only its own pace to keep.
pub(in crate::amocrm) async fn next_turn(db: &Db, spacing: Duration) -> anyhow::Result<Duration> {
    if !db.is_shared() {
        return Ok(Duration::ZERO);
    }
    // On the database's clock: those of the replicas differ.
    let turn = sqlx::query_as(
        "WITH now AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms) \
         UPDATE amocrm_pace SET next_at = greatest(next_at, now.ms) + $1 FROM now WHERE id = 1 \
         RETURNING next_at - $1 - now.ms",
    )
    .bind(i64::try_from(spacing.as_millis())?);
    let mut transaction = db.begin().await?;
    let (wait,): (i64,) = only(transaction.fetch(turn).await?)?;
    transaction.commit().await?;
    Ok(Duration::from_millis(u64::try_from(wait)?))
}
