//! The tables `webhook_bodies` and `inbox`, and `write_probe`.

use jiff::Timestamp;

use super::rows::{
    CLAIM, ClaimedRow, HeldRow, InboxCounts, Lead, RemovedRow, UnreadableBody, Webhook,
};
use crate::db::{Db, Transaction, only, timestamp};
use crate::deals::Due;

/// What the health check writes, in bytes: twice the pages of a usual webhook with its rows and indexes, because on a nearly
/// full disk a smaller write may still find room where a webhook does not.
const PROBE: usize = 64 * 1024;

/// An hour, in milliseconds.
const HOUR: i64 = 60 * 60 * 1000;

/// How many bodies one statement removes: at their largest 64 MB.
const PURGED_AT_ONCE: i64 = 256;

/// Adds a webhook's body.
pub(super) async fn insert_body(
    transaction: &mut Transaction,
    webhook: &Webhook,
) -> sqlx::Result<()> {
    let body = sqlx::query(
        "INSERT INTO webhook_bodies (id, received_at, content, state, problem) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(webhook.id.as_str())
    .bind(webhook.received_at.as_millisecond())
    .bind(&*webhook.content)
    .bind(webhook.state)
    .bind(webhook.problem.as_deref());
    transaction.execute(body).await.map(drop)
}

/// Adds the event of a lead of a webhook.
pub(super) async fn insert_event(
    transaction: &mut Transaction,
    webhook: &Webhook,
    lead: &Lead,
) -> sqlx::Result<()> {
    let event = sqlx::query(
        "INSERT INTO inbox (id, body_id, deal_key, lead_id, payload, received_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(lead.id.as_str())
    .bind(webhook.id.as_str())
    .bind(lead.deal_key.as_str())
    .bind(lead.lead_id)
    .bind(lead.payload.as_str())
    .bind(webhook.received_at.as_millisecond());
    transaction.execute(event).await.map(drop)
}

/// Whether a webhook's body is stored.
pub(super) async fn has_body(db: &Db, id: &str) -> anyhow::Result<bool> {
    let query = sqlx::query_as("SELECT COUNT(*) FROM webhook_bodies WHERE id = $1");
    let (bodies,): (i64,) = only(db.fetch(query.bind(id)).await?)?;
    Ok(bodies > 0)
}

/// Adds an event of a deal that is sent again.
pub(super) async fn insert_again(
    transaction: &mut Transaction,
    id: &str,
    deal: &Due,
    now: Timestamp,
) -> sqlx::Result<()> {
    let event = sqlx::query(
        "INSERT INTO inbox (id, deal_key, lead_id, name, payload, received_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(deal.key.as_str())
    .bind(deal.lead_id)
    .bind(deal.event_name.as_str())
    .bind(deal.payload.as_str())
    .bind(now.as_millisecond());
    transaction.execute(event).await.map(drop)
}

/// Writes as much as a webhook would take, to prove that there is room for one.
pub(super) async fn write_probe(transaction: &mut Transaction) -> sqlx::Result<()> {
    let write = sqlx::query("UPDATE write_probe SET content = $1 WHERE id = 1");
    transaction.execute(write.bind(vec![0; PROBE])).await.map(drop)
}

/// Claims the next events to send, oldest first, for [`CLAIM`].
pub(super) async fn claim(db: &Db, limit: u32) -> anyhow::Result<Vec<ClaimedRow>> {
    let now = db.time();
    // The condition stands there twice: of two replicas that pick the same rows, the second waits for the first, and
    // then checks the rows as the first has left them.
    let claim = sqlx::query_as(
        "UPDATE inbox SET claimed_until = $1 WHERE id IN (\
             SELECT id FROM inbox WHERE claimed_until IS NULL OR claimed_until <= $2 ORDER BY id LIMIT $3\
         ) AND (claimed_until IS NULL OR claimed_until <= $2) \
         RETURNING id, name, payload, received_at",
    )
    .bind((now + CLAIM).as_millisecond())
    .bind(now.as_millisecond())
    .bind(i64::from(limit));
    let mut transaction = db.begin().await?;
    let mut rows: Vec<(String, String, String, i64)> = transaction.fetch(claim).await?;
    transaction.commit().await?;
    rows.sort_unstable();
    let row = |(id, name, payload, received_at)| ClaimedRow { id, name, payload, received_at };
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

/// Removes an event; `None` when there is no such event any more.
pub(super) async fn delete(
    transaction: &mut Transaction,
    id: &str,
) -> sqlx::Result<Option<RemovedRow>> {
    let delete = "DELETE FROM inbox WHERE id = $1 \
                  RETURNING COALESCE(deal_key, ''), lead_id, received_at, attempts";
    let rows: Vec<(String, Option<i64>, i64, i64)> =
        transaction.fetch(sqlx::query_as(delete).bind(id)).await?;
    let row = |(deal_key, lead_id, received_at, attempts)| RemovedRow {
        deal_key,
        lead_id,
        received_at,
        attempts,
    };
    Ok(rows.into_iter().next().map(row))
}

/// Removes the events of a deal.
pub(super) async fn delete_of(transaction: &mut Transaction, deal_key: &str) -> sqlx::Result<()> {
    let delete = sqlx::query("DELETE FROM inbox WHERE deal_key = $1");
    transaction.execute(delete.bind(deal_key)).await.map(drop)
}

/// The events that a version of this service has stored that knew no deals here: each with its lead and payload.
pub(super) async fn without_deal(
    transaction: &mut Transaction,
) -> sqlx::Result<Vec<(String, i64, String)>> {
    let query = "SELECT id, lead_id, payload FROM inbox WHERE deal_key IS NULL ORDER BY id";
    transaction.fetch(sqlx::query_as(query)).await
}

/// Notes which deal an event stands for.
pub(super) async fn set_deal(
    transaction: &mut Transaction,
    id: &str,
    deal_key: &str,
) -> sqlx::Result<()> {
    let set = sqlx::query("UPDATE inbox SET deal_key = $2 WHERE id = $1");
    transaction.execute(set.bind(id).bind(deal_key)).await.map(drop)
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

/// Notes why rows wait that no replica has tried to send.
pub(super) async fn note_hold(db: &Db, reason: &str) -> anyhow::Result<()> {
    let hold = sqlx::query(
        "UPDATE inbox SET last_error = $1 WHERE attempts = 0 AND (claimed_until IS NULL OR claimed_until <= $2) \
         AND (last_error IS NULL OR last_error <> $1)",
    );
    db.commit(hold.bind(reason).bind(db.now())).await.map(drop)
}

/// An event that was sent without success so far, as it stands in the table.
type Held = (String, String, i64, i64, String);

/// The held events, sent without success so far, oldest first.
pub(super) async fn held(db: &Db, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
    let query = "SELECT id, COALESCE(deal_key, ''), received_at, attempts, last_error FROM inbox \
                 WHERE last_error IS NOT NULL ORDER BY id LIMIT $1";
    let rows: Vec<Held> = db.fetch(sqlx::query_as(query).bind(i64::from(limit))).await?;
    rows.into_iter().map(held_row).collect()
}

/// The event `id`, if it is held.
pub(super) async fn held_event(db: &Db, id: &str) -> anyhow::Result<Option<HeldRow>> {
    let query = "SELECT id, COALESCE(deal_key, ''), received_at, attempts, last_error FROM inbox \
                 WHERE id = $1 AND last_error IS NOT NULL";
    let rows: Vec<Held> = db.fetch(sqlx::query_as(query).bind(id)).await?;
    rows.into_iter().next().map(held_row).transpose()
}

fn held_row((id, deal_key, received_at, attempts, reason): Held) -> anyhow::Result<HeldRow> {
    Ok(HeldRow { id, deal_key, received_at: timestamp(received_at)?, attempts, reason })
}

/// How many rows of each kind there are.
pub(super) async fn counts(db: &Db) -> anyhow::Result<InboxCounts> {
    let query = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM inbox), (SELECT MIN(received_at) FROM inbox), \
                (SELECT COUNT(*) FROM webhook_bodies WHERE state <> 'read'), \
                (SELECT MAX(received_at) FROM webhook_bodies)",
    );
    let (waiting, oldest, unparsable, newest): (i64, Option<i64>, i64, Option<i64>) =
        only(db.fetch(query).await?)?;
    let oldest_waiting = oldest.map(timestamp).transpose()?;
    let newest_body = newest.map(timestamp).transpose()?;
    Ok(InboxCounts { waiting, unparsable, oldest_waiting, newest_body })
}

/// How many webhooks came in each hour since `since`: hours since 1970 that had any.
pub(super) async fn received_by_hour(db: &Db, since: Timestamp) -> anyhow::Result<Vec<(i64, i64)>> {
    let query = sqlx::query_as(
        "SELECT received_at / $2 AS hour, COUNT(*) FROM webhook_bodies WHERE received_at >= $1 \
         GROUP BY received_at / $2 ORDER BY hour",
    );
    db.fetch(query.bind(since.as_millisecond()).bind(HOUR)).await
}

/// Removes the next bodies received before `time`, except those of rows that are still in the inbox. Returns how many.
pub(super) async fn purge_bodies(db: &Db, time: Timestamp) -> anyhow::Result<u64> {
    let purge = sqlx::query(
        "DELETE FROM webhook_bodies WHERE id IN (SELECT id FROM webhook_bodies WHERE received_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.body_id = webhook_bodies.id) LIMIT $2)",
    );
    db.commit(purge.bind(time.as_millisecond()).bind(PURGED_AT_ONCE)).await
}

/// The kept bodies of which something could not be read, newest first.
pub(super) async fn unreadable(db: &Db, limit: u32) -> anyhow::Result<Vec<UnreadableBody>> {
    let query = sqlx::query_as(
        "SELECT id, received_at, CAST(LENGTH(content) AS BIGINT), COALESCE(problem, '') FROM webhook_bodies \
         WHERE state <> 'read' ORDER BY id DESC LIMIT $1",
    )
    .bind(i64::from(limit));
    let rows: Vec<(String, i64, i64, String)> = db.fetch(query).await?;
    let body = |(id, received_at, bytes, problem)| {
        Ok(UnreadableBody { id, received_at: timestamp(received_at)?, bytes, problem })
    };
    rows.into_iter().map(body).collect()
}
