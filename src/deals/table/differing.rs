//! Which records differ from their leads, as far as people are shown that.

use super::waits_for;
use crate::db::{Db, only, timestamp};
use crate::deals::difference::DifferingDeal;

/// What is listed: a difference that no person has dismissed, and a comparison that has failed. The second line is that of
/// the index, and the time makes SQLite take it: it would go through all that is done, along another one.
pub(super) const DIFFERING: &str = "state = 'done' \
    AND (failure IS NOT NULL OR difference IS NOT NULL) \
    AND (failure IS NOT NULL OR dismissed IS NULL OR dismissed <> difference) AND updated_at >= 0";

type Row = (
    String,
    Option<i64>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    i64,
);

/// At most `limit` deals whose records differ from their leads, or could not be compared with them, the oldest first.
pub(crate) async fn differing(db: &Db, limit: u32) -> anyhow::Result<Vec<DifferingDeal>> {
    let sql = select("ORDER BY updated_at, deal_key LIMIT $1");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(i64::from(limit));
    let rows: Vec<Row> = db.fetch(query).await?;
    rows.into_iter().map(deal).collect()
}

/// The deal `key`, if it is listed so.
pub(crate) async fn differing_deal(db: &Db, key: &str) -> anyhow::Result<Option<DifferingDeal>> {
    let query = sqlx::query_as(sqlx::AssertSqlSafe(select("AND deal_key = $1")));
    let rows: Vec<Row> = db.fetch(query.bind(key)).await?;
    rows.into_iter().next().map(deal).transpose()
}

fn select(rest: &str) -> String {
    format!(
        "SELECT deal_key, lead_id, COALESCE(erp_id, ''), recorded, updating, difference, failure, waits_for, due_at, updated_at \
         FROM deals WHERE {DIFFERING} {rest}"
    )
}

/// How many deals are listed so.
pub(super) async fn count(db: &Db) -> anyhow::Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM deals WHERE {DIFFERING}");
    let (count,): (i64,) = only(db.fetch(sqlx::query_as(sqlx::AssertSqlSafe(sql))).await?)?;
    Ok(count)
}

fn deal(
    (key, lead_id, record, recorded, updating, difference, failure, waiting, due_at, updated_at): Row,
) -> anyhow::Result<DifferingDeal> {
    Ok(DifferingDeal {
        key,
        lead_id,
        record,
        // What a later version has written is not known to this one.
        recorded: recorded.and_then(|values| serde_json::from_str(&values).ok()),
        is_updating: updating.is_some(),
        difference: difference.and_then(|difference| serde_json::from_str(&difference).ok()),
        failure,
        waits_for: waiting.as_deref().map(waits_for).transpose()?,
        due_at: due_at.map(timestamp).transpose()?,
        since: timestamp(updated_at)?,
    })
}
