//! How many deals got their record, and when.

use jiff::Timestamp;

use crate::db::{Db, only, timestamp};

/// An hour, in milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

/// How many deals got their record in each hour since `since`: hours since 1970 that had any.
pub(crate) async fn recorded_by_hour(db: &Db, since: Timestamp) -> anyhow::Result<Vec<(i64, i64)>> {
    let query = sqlx::query_as(
        "SELECT recorded_at / $2 AS hour, COUNT(*) FROM deals WHERE state = 'done' AND recorded_at >= $1 \
         GROUP BY recorded_at / $2 ORDER BY hour",
    );
    db.fetch(query.bind(since.as_millisecond()).bind(HOUR)).await
}

/// When the last deal got its record.
pub(crate) async fn last_record(db: &Db) -> anyhow::Result<Option<Timestamp>> {
    let query = "SELECT MAX(recorded_at) FROM deals WHERE state = 'done'";
    let (last,): (Option<i64>,) = only(db.fetch(sqlx::query_as(query)).await?)?;
    last.map(timestamp).transpose()
}
