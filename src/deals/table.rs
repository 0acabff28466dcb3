//! The table `deals`: who may send a deal to the ERP now, and what came of it.
//!
//! Every change names the fence of its claim, except the one that notes a record: that it exists is true, whichever
//! claim says so.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::Value;

use super::key::Entry;
use crate::db::{Db, only, timestamp};

/// How long a claim holds, and how long the outcome of its call stays open if it never reports back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    /// No other claim is granted for this long. Longer than one call of the ERP can take.
    pub(super) holds: Duration,
    /// A look-up sooner than this proves nothing.
    pub(super) look_after: Duration,
}

/// What came of asking for a deal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Claimed {
    /// The deal is ours for the time of the lease.
    Granted(Claim),
    /// It has its record: the ERP's reply.
    Done(Value),
    /// Another run holds it, until then at the latest.
    Held(Timestamp),
}

/// A deal that is ours for the time of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// The row.
    pub(super) key: String,
    /// Grows with each claim: who names an older one changes nothing.
    pub(super) fence: i64,
    /// What earlier claims have left behind.
    pub(super) past: Past,
}

/// What is known of the inserts of earlier claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// This is the first claim ever: `sending` was committed with it.
    FirstClaim,
    /// The ERP acted on none of them, or a person has found no record.
    NotSent,
    /// The ERP refused the last one that it acted on.
    Refused,
    /// The ERP may have acted on the last one. A look-up before this time proves nothing.
    InDoubt(Timestamp),
}

/// How a claim is given back without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// The ERP never acted on the insert.
    NotSent,
    /// The ERP refused the insert.
    Refused,
    /// The ERP may have acted on it; a look-up after this time proves it.
    InDoubt(Timestamp),
    /// No insert was tried: the row says what it said before.
    Unchanged,
}

/// A deal without a record: key, lead, last run, state, failure, and when.
pub(super) type FailedRow = (String, Option<i64>, String, String, String, i64);

/// Claims a deal. The first claim ever commits at once that it is being sent; a later one returns what is known of the
/// earlier ones.
pub(super) async fn claim(db: &Db, entry: &Entry, lease: Lease) -> anyhow::Result<Claimed> {
    let now = db.clock().now();
    let claim = sqlx::query_as(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, attempt, fence, claimed_until, look_after, \
                            created_at, updated_at) \
         VALUES ($1, $2, $3, 'sending', 1, 1, $4, $5, $6, $6) \
         ON CONFLICT (deal_key) DO UPDATE SET fence = deals.fence + 1, run_id = excluded.run_id, \
             claimed_until = excluded.claimed_until, updated_at = excluded.updated_at \
         WHERE deals.state <> 'done' \
             AND (deals.claimed_until IS NULL OR deals.claimed_until <= excluded.updated_at) \
         RETURNING fence, state, attempt, look_after",
    )
    .bind(entry.key.as_str())
    .bind(signed(entry.lead_id)?)
    .bind(entry.deal.run_id.as_str())
    .bind((now + lease.holds).as_millisecond())
    .bind((now + lease.look_after).as_millisecond())
    .bind(now.as_millisecond());
    let mut transaction = db.begin().await?;
    let granted: Vec<(i64, String, i64, Option<i64>)> = transaction.fetch(claim).await?;
    if let Some((fence, state, attempt, look_after)) = granted.into_iter().next() {
        // The ERP is called on the strength of this row: not before it is certain to survive a crash.
        transaction.commit().await?;
        let past = match (state.as_str(), fence, attempt) {
            // A row that exists before its first claim is never `sending`.
            ("sending", 1, _) => Past::FirstClaim,
            ("sending", ..) => Past::InDoubt(look_after.map_or(Ok(now), timestamp)?),
            (_, _, 0) => Past::NotSent,
            _ => Past::Refused,
        };
        return Ok(Claimed::Granted(Claim { key: entry.key.clone(), fence, past }));
    }
    let query = sqlx::query_as("SELECT reply, claimed_until FROM deals WHERE deal_key = $1");
    let rows = transaction.fetch(query.bind(entry.key.as_str())).await?;
    transaction.commit().await?;
    let (reply, until): (Option<String>, Option<i64>) = only(rows)?;
    Ok(match reply {
        Some(reply) => Claimed::Done(serde_json::from_str(&reply).context("a stored reply")?),
        None => Claimed::Held(until.map_or(Ok(now), timestamp)?),
    })
}

/// Commits that another insert is about to be sent. `false`: the claim is no longer the newest, send nothing.
pub(super) async fn mark_sending(db: &Db, claim: &Claim, lease: Lease) -> anyhow::Result<bool> {
    let now = db.clock().now();
    let sending = sqlx::query(
        "UPDATE deals SET state = 'sending', attempt = attempt + 1, claimed_until = $3, look_after = $4, \
         updated_at = $5 WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
    )
    .bind(claim.key.as_str())
    .bind(claim.fence)
    .bind((now + lease.holds).as_millisecond())
    .bind((now + lease.look_after).as_millisecond())
    .bind(now.as_millisecond());
    Ok(db.commit(sending).await? == 1)
}

/// The ERP has the record of the deal. `false`: that was known before.
pub(super) async fn mark_done(
    db: &Db,
    key: &str,
    erp_id: &str,
    reply: &Value,
) -> anyhow::Result<bool> {
    let done = sqlx::query(
        "UPDATE deals SET state = 'done', erp_id = $2, reply = $3, claimed_until = NULL, look_after = NULL, \
         failure = NULL, updated_at = $4 WHERE deal_key = $1 AND state <> 'done'",
    )
    .bind(key)
    .bind(erp_id)
    .bind(reply.to_string())
    .bind(db.now());
    Ok(db.commit(done).await? == 1)
}

/// Gives a claim back. `failure` says for a person why there is no record.
pub(super) async fn release(
    db: &Db,
    claim: &Claim,
    how: Release,
    failure: &str,
) -> anyhow::Result<()> {
    let (state, uncounted, look_after) = match (how, claim.past) {
        (Release::NotSent, _) => (Some("open"), 1, None),
        (Release::Refused, _) => (Some("open"), 0, None),
        (Release::InDoubt(until), _) => (Some("sending"), 0, Some(until)),
        (Release::Unchanged, Past::InDoubt(until)) => (None, 0, Some(until)),
        (Release::Unchanged, _) => (None, 0, None),
    };
    let released = sqlx::query(
        "UPDATE deals SET state = COALESCE($3, state), attempt = attempt - $4, look_after = $5, failure = $6, \
         claimed_until = NULL, updated_at = $7 WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
    )
    .bind(claim.key.as_str())
    .bind(claim.fence)
    .bind(state)
    .bind(i64::from(uncounted))
    .bind(look_after.map(Timestamp::as_millisecond))
    .bind(failure)
    .bind(db.now());
    db.commit(released).await?;
    Ok(())
}

/// Notes why a deal got no record, also when it never got as far as the ERP. A deal that has its record keeps it.
pub(super) async fn note_failure(
    db: &Db,
    key: &str,
    lead_id: Option<u64>,
    run_id: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let noted = sqlx::query(
        "INSERT INTO deals (deal_key, lead_id, run_id, state, failure, created_at, updated_at) \
         VALUES ($1, $2, $3, 'open', $4, $5, $5) \
         ON CONFLICT (deal_key) DO UPDATE SET failure = excluded.failure, updated_at = excluded.updated_at \
         WHERE deals.state <> 'done'",
    )
    .bind(key)
    .bind(signed(lead_id)?)
    .bind(run_id)
    .bind(reason)
    .bind(db.now());
    db.commit(noted).await?;
    Ok(())
}

/// The deals without a record whose last attempt failed, newest first.
pub(super) async fn failed(db: &Db, limit: u32) -> anyhow::Result<Vec<FailedRow>> {
    let query = sqlx::query_as(
        "SELECT deal_key, lead_id, run_id, state, failure, updated_at FROM deals \
         WHERE failure IS NOT NULL ORDER BY updated_at DESC, deal_key LIMIT $1",
    )
    .bind(i64::from(limit));
    db.fetch(query).await
}

/// How many deals are done, have failed, and are in doubt.
pub(super) async fn counts(db: &Db) -> anyhow::Result<(i64, i64, i64)> {
    let query = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM deals WHERE state = 'done'), \
                (SELECT COUNT(*) FROM deals WHERE failure IS NOT NULL), \
                (SELECT COUNT(*) FROM deals WHERE state = 'sending' \
                    AND (claimed_until IS NULL OR claimed_until <= $1))",
    )
    .bind(db.now());
    only(db.fetch(query).await?)
}

/// Ends a doubt: with the `record` that exists, its id and the ERP's reply, or without one. `false`: there is no such
/// deal, it has its record, or it is being sent at this moment.
pub(super) async fn resolve(
    db: &Db,
    key: &str,
    record: Option<(&str, &Value)>,
) -> anyhow::Result<bool> {
    let state = if record.is_some() { "done" } else { "open" };
    let (erp_id, reply) = record.unzip();
    // The fence moves on: who still holds an old claim must not decide any more.
    let resolved = sqlx::query(
        "UPDATE deals SET state = $2, erp_id = $3, reply = $4, attempt = 0, fence = fence + 1, look_after = NULL, \
         claimed_until = NULL, failure = NULL, updated_at = $5 \
         WHERE deal_key = $1 AND state <> 'done' AND (claimed_until IS NULL OR claimed_until <= $5)",
    )
    .bind(key)
    .bind(state)
    .bind(erp_id)
    .bind(reply.map(Value::to_string))
    .bind(db.now());
    Ok(db.commit(resolved).await? == 1)
}

/// Ends every lease. What is `sending` stays in doubt.
pub(super) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    let query = "UPDATE deals SET claimed_until = NULL WHERE claimed_until IS NOT NULL";
    db.commit(sqlx::query(query)).await?;
    Ok(())
}

fn signed(id: Option<u64>) -> anyhow::Result<Option<i64>> {
    id.map(i64::try_from).transpose().context("an id is out of range")
}
