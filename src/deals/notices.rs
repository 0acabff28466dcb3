//! The table `lead_notices`: when a lead was last reported to this service, by a webhook or by reconciliation.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::db::{Db, Transaction, only};

/// Notes reported leads, and when. In the order of their ids, so that two replicas never wait for each other.
pub(crate) async fn note_leads(
    transaction: &mut Transaction,
    leads: &BTreeMap<i64, i64>,
) -> sqlx::Result<()> {
    for (lead_id, noticed_at) in leads {
        let notice = sqlx::query(
            "INSERT INTO lead_notices (lead_id, noticed_at) VALUES ($1, $2) \
             ON CONFLICT (lead_id) DO UPDATE SET noticed_at = excluded.noticed_at",
        )
        .bind(*lead_id)
        .bind(*noticed_at);
        transaction.execute(notice).await?;
    }
    Ok(())
}

/// Whether the lead was reported since then.
pub(crate) async fn noted_since(db: &Db, lead_id: u64, since: Timestamp) -> anyhow::Result<bool> {
    let query = "SELECT COUNT(*) FROM lead_notices WHERE lead_id = $1 AND noticed_at >= $2";
    let query = sqlx::query_as(query).bind(row_id(lead_id)?).bind(since.as_millisecond());
    let (noted,): (i64,) = only(db.fetch(query).await?)?;
    Ok(noted > 0)
}

/// Forgets notices from before then.
pub(crate) async fn forget_before(
    transaction: &mut Transaction,
    before: Timestamp,
) -> sqlx::Result<()> {
    let old = sqlx::query("DELETE FROM lead_notices WHERE noticed_at < $1");
    transaction.execute(old.bind(before.as_millisecond())).await.map(drop)
}

/// A lead's id as it is stored.
pub(crate) fn row_id(lead_id: u64) -> anyhow::Result<i64> {
    i64::try_from(lead_id).context("the lead's id is out of range")
}
