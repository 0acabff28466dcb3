//! The tables `webhook_bodies` and `inbox`, and `write_probe`.

use anyhow::Context as _;
use jiff::Timestamp;

use super::rows::{CLAIM, ClaimedRow, HeldRow, InboxCounts, ParkedRow, Webhook};
use crate::db::{Db, Transaction, only, timestamp};

/// What the health check writes, in bytes: twice the pages of a usual webhook with its rows and indexes, because on a nearly
/// full disk a smaller write may still find room where a webhook does not.
const PROBE: usize = 64 * 1024;

/// How many bodies one statement removes: at their largest 64 MB.
const PURGED_AT_ONCE: i64 = 256;

/// Adds a webhook's body, and one row for each of its leads.
pub(super) async fn insert(transaction: &mut Transaction, webhook: &Webhook) -> sqlx::Result<()> {
    let received_at = webhook.received_at.as_millisecond();
    let body = sqlx::query(
        "INSERT INTO webhook_bodies (id, received_at, content, state, problem) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(webhook.id.as_str())
    .bind(received_at)
    .bind(webhook.content.as_slice())
    .bind(webhook.state)
    .bind(webhook.problem.as_deref());
    transaction.execute(body).await?;
    for lead in &webhook.leads {
        let row = sqlx::query(
            "INSERT INTO inbox (id, body_id, lead_id, payload, received_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(lead.id.as_str())
        .bind(webhook.id.as_str())
        .bind(lead.lead_id)
        .bind(lead.payload.as_str())
        .bind(received_at);
        transaction.execute(row).await?;
    }
    Ok(())
}

/// Writes as much as a webhook would take, to prove that there is room for one.
pub(super) async fn write_probe(transaction: &mut Transaction) -> sqlx::Result<()> {
    let write = sqlx::query("UPDATE write_probe SET content = $1 WHERE id = 1");
    transaction.execute(write.bind(vec![0; PROBE])).await.map(drop)
}

/// Claims the next leads to send, oldest first, for [`CLAIM`]. Returns them with the data of their events, JSON.
pub(super) async fn claim(db: &Db, limit: u32) -> anyhow::Result<Vec<ClaimedRow>> {
    let now = db.clock().now();
    // The condition stands there twice: of two replicas that pick the same rows, the second waits for the first, and
    // then checks the rows as the first has left them.
    let claim = sqlx::query_as(
        "UPDATE inbox SET claimed_until = $1 WHERE id IN (\
             SELECT id FROM inbox WHERE parked_at IS NULL AND (claimed_until IS NULL OR claimed_until <= $2) \
             ORDER BY id LIMIT $3\
         ) AND (claimed_until IS NULL OR claimed_until <= $2) \
         RETURNING id, payload, received_at",
    )
    .bind((now + CLAIM).as_millisecond())
    .bind(now.as_millisecond())
    .bind(i64::from(limit));
    let mut transaction = db.begin().await?;
    let mut rows: Vec<(String, String, i64)> = transaction.fetch(claim).await?;
    transaction.commit().await?;
    rows.sort_unstable();
    let row = |(id, payload, received_at)| ClaimedRow { id, payload, received_at };
    Ok(rows.into_iter().map(row).collect())
}

/// Ends every claim.
pub(super) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    let query = "UPDATE inbox SET claimed_until = NULL WHERE claimed_until IS NOT NULL";
    db.commit(sqlx::query(query)).await.map(drop)
}

/// Makes rows due again that were claimed and not tried.
pub(super) async fn release(db: &Db, ids: &[&str]) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    for id in ids {
        let release = sqlx::query("UPDATE inbox SET claimed_until = NULL WHERE id = $1");
        transaction.execute(release.bind(*id)).await?;
    }
    Ok(transaction.commit().await?)
}

/// Removes rows that Inngest has accepted.
pub(super) async fn delete_accepted(db: &Db, ids: &[&str]) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    for id in ids {
        let accepted = sqlx::query("DELETE FROM inbox WHERE id = $1");
        transaction.execute(accepted.bind(*id)).await?;
    }
    Ok(transaction.commit().await?)
}

/// Notes that sending these rows has failed. They stay due.
pub(super) async fn record_failure(db: &Db, ids: &[&str], error: &str) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    for id in ids {
        let failed = sqlx::query(
            "UPDATE inbox SET attempts = attempts + 1, last_error = $2, claimed_until = NULL WHERE id = $1",
        );
        transaction.execute(failed.bind(*id).bind(error)).await?;
    }
    Ok(transaction.commit().await?)
}

/// Parks a row: it stays, with the reason, and is no longer due.
pub(super) async fn park(db: &Db, id: &str, reason: &str) -> anyhow::Result<()> {
    let parked = sqlx::query(
        "UPDATE inbox SET parked_at = $2, parked_reason = $3, claimed_until = NULL WHERE id = $1",
    );
    db.commit(parked.bind(id).bind(db.now()).bind(reason)).await.map(drop)
}

/// Makes parked rows due again: those of `lead`, or all. Returns how many.
pub(super) async fn unpark(db: &Db, lead: Option<u64>) -> anyhow::Result<u64> {
    let query = "UPDATE inbox SET parked_at = NULL, parked_reason = NULL \
                 WHERE parked_at IS NOT NULL AND lead_id = COALESCE($1, lead_id)";
    db.commit(sqlx::query(query).bind(stored(lead)?)).await
}

/// The parked rows, newest first.
pub(super) async fn parked(db: &Db, limit: u32) -> anyhow::Result<Vec<ParkedRow>> {
    let query = sqlx::query_as(
        "SELECT id, lead_id, parked_at, COALESCE(parked_reason, '') FROM inbox \
         WHERE parked_at IS NOT NULL ORDER BY parked_at DESC, id DESC LIMIT $1",
    )
    .bind(i64::from(limit));
    let rows: Vec<(String, i64, i64, String)> = db.fetch(query).await?;
    let row = |(id, lead_id, parked_at, reason)| {
        Ok(ParkedRow { id, lead_id, parked_at: timestamp(parked_at)?, reason })
    };
    rows.into_iter().map(row).collect()
}

/// The held rows, sent without success so far, oldest first: those of `lead`, or all.
pub(super) async fn held(db: &Db, lead: Option<u64>, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
    let query = sqlx::query_as(
        "SELECT id, lead_id, received_at, attempts, last_error FROM inbox WHERE parked_at IS NULL \
         AND last_error IS NOT NULL AND lead_id = COALESCE($1, lead_id) ORDER BY id LIMIT $2",
    )
    .bind(stored(lead)?)
    .bind(i64::from(limit));
    let rows: Vec<(String, i64, i64, i64, String)> = db.fetch(query).await?;
    let row = |(id, lead_id, received_at, attempts, reason)| {
        Ok(HeldRow { id, lead_id, received_at: timestamp(received_at)?, attempts, reason })
    };
    rows.into_iter().map(row).collect()
}

/// How many rows of each kind there are.
pub(super) async fn counts(db: &Db) -> anyhow::Result<InboxCounts> {
    let query = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM inbox WHERE parked_at IS NULL), \
                (SELECT COUNT(*) FROM inbox WHERE parked_at IS NOT NULL), \
                (SELECT COUNT(*) FROM webhook_bodies WHERE state <> 'read'), \
                (SELECT MIN(received_at) FROM inbox WHERE parked_at IS NULL)",
    );
    let (waiting, parked, unparsable, oldest): (i64, i64, i64, Option<i64>) =
        only(db.fetch(query).await?)?;
    let oldest_waiting = oldest.map(timestamp).transpose()?;
    Ok(InboxCounts { waiting, parked, unparsable, oldest_waiting })
}

/// Removes the next bodies received before `time`, except those of rows that are still in the inbox. Returns how many.
pub(super) async fn purge_bodies(db: &Db, time: Timestamp) -> anyhow::Result<u64> {
    let purge = sqlx::query(
        "DELETE FROM webhook_bodies WHERE id IN (SELECT id FROM webhook_bodies WHERE received_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.body_id = webhook_bodies.id) LIMIT $2)",
    );
    db.commit(purge.bind(time.as_millisecond()).bind(PURGED_AT_ONCE)).await
}

/// A lead's id as it is stored.
fn stored(lead: Option<u64>) -> anyhow::Result<Option<i64>> {
    lead.map(i64::try_from).transpose().context("the lead's id is out of range")
}
