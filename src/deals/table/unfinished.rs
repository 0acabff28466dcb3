//! What is not done, and where it is.

use anyhow::{Context as _, bail};

use super::{differing, waits_for};
use crate::db::{Db, only, timestamp};
use crate::deals::review::{DealCounts, Progress, UnfinishedDeal};

/// Where a deal that is not done is, in the order in which it counts: what is being sent is not to be touched.
pub(super) const PROGRESS: &str = "CASE WHEN claimed_until > $1 THEN 'sending' \
     WHEN state = 'sending' THEN 'in_doubt' \
     WHEN waits_for = 'person' THEN 'failed' \
     WHEN forwarded_at IS NOT NULL THEN 'forwarded' \
     WHEN failure IS NOT NULL AND due_at IS NOT NULL THEN 'failed' \
     ELSE 'waiting' END";

type Row = (
    String,
    Option<i64>,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    i64,
    i64,
);

/// At most `limit` deals that are not done, those that need a person first, then the oldest first.
pub(crate) async fn unfinished(db: &Db, limit: u32) -> anyhow::Result<Vec<UnfinishedDeal>> {
    let sql = select(
        "ORDER BY CASE waits_for WHEN 'person' THEN 0 ELSE 1 END, created_at, deal_key LIMIT $2",
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(db.now()).bind(i64::from(limit));
    let rows: Vec<Row> = db.fetch(query).await?;
    rows.into_iter().map(deal).collect()
}

/// The deal `key`, if it is not done.
pub(crate) async fn unfinished_deal(db: &Db, key: &str) -> anyhow::Result<Option<UnfinishedDeal>> {
    let query = sqlx::query_as(sqlx::AssertSqlSafe(select("AND deal_key = $2")));
    let rows: Vec<Row> = db.fetch(query.bind(db.now()).bind(key)).await?;
    rows.into_iter().next().map(deal).transpose()
}

fn select(rest: &str) -> String {
    format!(
        "SELECT deal_key, lead_id, run_id, event_id, {PROGRESS}, waits_for, failure, due_at, created_at, updated_at \
         FROM deals WHERE state <> 'done' AND ended IS NULL {rest}"
    )
}

fn deal(
    (key, lead_id, run_id, event_id, progress, waiting, reason, due_at, created_at, updated_at): Row,
) -> anyhow::Result<UnfinishedDeal> {
    let progress = match progress.as_str() {
        "sending" => Progress::Sending,
        "in_doubt" => Progress::InDoubt,
        "failed" => Progress::Failed,
        "forwarded" => Progress::Forwarded,
        "waiting" => Progress::Waiting,
        other => bail!("the deal {key} is in a state that this version does not know: {other}"),
    };
    Ok(UnfinishedDeal {
        progress,
        lead_id,
        run_id: Some(run_id).filter(|run| !run.is_empty()),
        event_id,
        waits_for: waiting.as_deref().map(waits_for).transpose().with_context(|| key.clone())?,
        reason,
        due_at: due_at.map(timestamp).transpose()?,
        created_at: timestamp(created_at)?,
        updated_at: timestamp(updated_at)?,
        key,
    })
}

/// How many deals are in which state. Of what is done, which only grows, no more than the number is read.
pub(crate) async fn counts(db: &Db) -> anyhow::Result<DealCounts> {
    let query = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM deals WHERE state = 'done'), COUNT(*), \
             COALESCE(SUM(CASE WHEN failure IS NOT NULL THEN 1 ELSE 0 END), 0), \
             COALESCE(SUM(CASE WHEN state = 'sending' AND (claimed_until IS NULL OR claimed_until <= $1) THEN 1 ELSE 0 END), 0), \
             COALESCE(SUM(CASE WHEN waits_for = 'person' THEN 1 ELSE 0 END), 0) \
         FROM deals WHERE state <> 'done' AND ended IS NULL",
    );
    let rows: Vec<(i64, i64, i64, i64, i64)> = db.fetch(query.bind(db.now())).await?;
    let (done, unfinished, failed, in_doubt, needs_person) = only(rows)?;
    let differing = differing::count(db).await?;
    Ok(DealCounts { done, failed, in_doubt, needs_person, unfinished, differing })
}
