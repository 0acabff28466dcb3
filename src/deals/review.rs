//! What a person sees of the deals that have no record, and what a person decides about them.

use jiff::Timestamp;

use super::table;
use crate::db::{Db, timestamp};
use crate::erp::reply_with_id;

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
    /// Deals of which it is not known whether they have a record.
    pub in_doubt: i64,
}

/// What a person found in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// The record, by its id.
    Exists(String),
    /// No record.
    Absent,
}

/// At most `limit` deals without a record whose last attempt failed, newest first.
pub async fn failed(db: &Db, limit: u32) -> anyhow::Result<Vec<FailedDeal>> {
    let rows = table::failed(db, limit).await?.into_iter();
    rows.map(|(key, lead_id, run_id, state, reason, at)| {
        let in_doubt = state == "sending";
        Ok(FailedDeal { key, lead_id, run_id, in_doubt, reason, at: timestamp(at)? })
    })
    .collect()
}

/// How many deals are in which state.
pub async fn counts(db: &Db) -> anyhow::Result<DealCounts> {
    let (done, failed, in_doubt) = table::counts(db).await?;
    Ok(DealCounts { done, failed, in_doubt })
}

/// Notes what a person found out about the deal in doubt with this key. `false`: there is no such deal, it has its
/// record, or it is being sent at this moment.
pub(crate) async fn resolve(db: &Db, key: &str, found: &Resolution) -> anyhow::Result<bool> {
    match found {
        Resolution::Exists(id) => table::resolve(db, key, Some((id, &reply_with_id(id)))).await,
        Resolution::Absent => table::resolve(db, key, None).await,
    }
}

/// Ends the leases of a service that is gone: the next one need not wait for them. What it was sending stays in doubt.
/// Only for a service that is alone on its database; where replicas share it, their claims are alive.
pub(crate) async fn forget_claims(db: &Db) -> anyhow::Result<()> {
    if db.is_shared() { Ok(()) } else { table::forget_claims(db).await }
}
