//! Deals that need a person, and what the person decided.

use anyhow::Context as _;
use jiff::Timestamp;

use super::table;
use crate::db::{Db, only, timestamp};

/// A deal without a record, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDeal {
    /// `lead:<id>`, `run:<id>` or both.
    pub key: String,
    /// The amoCRM lead, if it comes from one.
    pub lead_id: Option<i64>,
    /// The run that tried last.
    pub run_id: String,
    /// The record may exist: nothing is sent before that is known.
    pub in_doubt: bool,
    /// What happened.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How many deals are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DealCounts {
    /// Deals that have their record.
    pub done: i64,
    /// Deals whose last attempt failed, or that were given up.
    pub failed: i64,
    /// Deals of which no one knows whether they have a record.
    pub in_doubt: i64,
}

/// What a person found in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The record, by its id.
    Exists(String),
    /// No record.
    Absent,
}

impl Db {
    /// Notes why a deal got no record, also when it never got as far as the ERP. A deal that has its record keeps it.
    pub async fn note_deal_failure(
        &self,
        key: &str,
        lead_id: Option<u64>,
        run_id: &str,
        reason: &str,
    ) -> anyhow::Result<()> {
        let lead_id = lead_id.map(i64::try_from).transpose().context("an id is out of range")?;
        let noted = sqlx::query(
            "INSERT INTO deals (deal_key, lead_id, run_id, state, failure, created_at, updated_at) \
             VALUES ($1, $2, $3, 'open', $4, $5, $5) \
             ON CONFLICT (deal_key) DO UPDATE SET failure = excluded.failure, updated_at = excluded.updated_at \
             WHERE deals.state <> 'done'",
        )
        .bind(key)
        .bind(lead_id)
        .bind(run_id)
        .bind(reason)
        .bind(self.now());
        self.commit(noted).await?;
        Ok(())
    }

    /// The deals without a record whose last attempt failed, newest first.
    pub async fn failed_deals(&self, limit: u32) -> anyhow::Result<Vec<FailedDeal>> {
        let rows: Vec<(String, Option<i64>, String, String, String, i64)> = sqlx::query_as(
            "SELECT deal_key, lead_id, run_id, state, failure, updated_at FROM deals \
             WHERE failure IS NOT NULL ORDER BY updated_at DESC, deal_key LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.into_iter()
            .map(|(key, lead_id, run_id, state, reason, at)| {
                let in_doubt = state == "sending";
                Ok(FailedDeal { key, lead_id, run_id, in_doubt, reason, at: timestamp(at)? })
            })
            .collect()
    }

    /// How many deals are in which state.
    pub async fn deal_counts(&self) -> anyhow::Result<DealCounts> {
        let rows = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM deals WHERE state = 'done'), \
                    (SELECT COUNT(*) FROM deals WHERE failure IS NOT NULL), \
                    (SELECT COUNT(*) FROM deals WHERE state = 'sending' \
                        AND (claimed_until IS NULL OR claimed_until <= $1))",
        )
        .bind(self.now())
        .fetch_all(self.reader())
        .await?;
        let (done, failed, in_doubt): (i64, i64, i64) = only(rows)?;
        Ok(DealCounts { done, failed, in_doubt })
    }

    /// Records what a person found out about a deal in doubt. `false`: there is no such deal, it has its record, or
    /// it is being sent at this moment.
    pub async fn resolve_deal(&self, key: &str, found: &Resolution) -> anyhow::Result<bool> {
        let (state, erp_id, reply) = match found {
            Resolution::Exists(id) => {
                let reply = serde_json::json!({"status": "success", "data": {"id": id}});
                ("done", Some(id.as_str()), Some(reply.to_string()))
            }
            Resolution::Absent => ("open", None, None),
        };
        // The fence moves on: who still holds an old claim must not decide any more.
        let resolved = sqlx::query(
            "UPDATE deals SET state = $2, erp_id = $3, reply = $4, attempt = 0, fence = fence + 1, \
             look_after = NULL, claimed_by = NULL, claimed_until = NULL, failure = NULL, updated_at = $5 \
             WHERE deal_key = $1 AND state <> 'done' AND (claimed_until IS NULL OR claimed_until <= $5)",
        )
        .bind(key)
        .bind(state)
        .bind(erp_id)
        .bind(reply)
        .bind(self.now());
        Ok(self.commit(resolved).await? == 1)
    }
}

/// Ends the leases of a service that is gone: the next one need not wait for them. What it was sending stays in doubt.
/// Only for a service that is alone on its database; where replicas share it, their claims are alive.
pub(crate) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    if db.is_shared() { Ok(()) } else { table::forget_claims(db).await }
}
