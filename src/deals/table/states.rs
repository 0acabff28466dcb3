//! How many deals are where.

use anyhow::Context as _;

use super::differing::DIFFERING;
use super::unfinished::PROGRESS;
use super::waits_for;
use crate::db::{Db, timestamp};
use crate::deals::review::{DEAL_STATES, DealState};

/// How many deals there are in each state in which there are any.
pub(crate) async fn states(db: &Db) -> anyhow::Result<Vec<DealState>> {
    // Of what is done, which only grows, no more than the number is read.
    let sql = format!(
        "SELECT progress, waits_for, COUNT(*), MIN(created_at) FROM (\
             SELECT {PROGRESS} AS progress, waits_for, created_at FROM deals WHERE state <> 'done' AND ended IS NULL\
         ) AS unfinished GROUP BY progress, waits_for \
         UNION ALL SELECT 'changed', waits_for, COUNT(*), MIN(updated_at) FROM deals WHERE {DIFFERING} GROUP BY waits_for \
         UNION ALL SELECT 'done', CAST(NULL AS TEXT), COUNT(*), CAST(NULL AS BIGINT) FROM deals WHERE state = 'done'"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(db.now());
    let rows: Vec<(String, Option<String>, i64, Option<i64>)> = db.fetch(query).await?;
    let state = |(state, waiting, deals, oldest): (String, Option<String>, _, Option<i64>)| {
        Ok(DealState {
            state: DEAL_STATES
                .into_iter()
                .find(|known| *known == state)
                .with_context(|| format!("deals are in a state that is not known: {state}"))?,
            waits_for: waiting.as_deref().map(waits_for).transpose()?,
            deals,
            oldest: oldest.map(timestamp).transpose()?,
        })
    };
    rows.into_iter().map(state).collect()
}
