//! The rows of the deal ledger: who may send a deal to the ERP now, and what came of it.
//!
//! Every change names the fence of its claim, except the one that records a record: that it exists is true,
//! whichever claim says so.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::db::{Db, only, timestamp};

/// A deal that a run wants to send.
#[derive(Debug, Clone, Copy)]
pub struct DealRef<'a> {
    /// What makes two deals the same one.
    pub key: &'a str,
    /// The amoCRM account, where the webhook named it.
    pub account_id: Option<u64>,
    /// The amoCRM lead, if it comes from one.
    pub lead_id: Option<u64>,
    /// The run that wants to.
    pub run_id: &'a str,
    /// A fingerprint of what is to be sent.
    pub payload_hash: &'a str,
}

/// How long a claim holds, and how long the outcome of its call stays open if no one comes back to tell.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// No other claim touches the deal for this long. Longer than one call of the ERP can take.
    pub holds: Duration,
    /// A look-up before this time proves nothing.
    pub unknown: Duration,
}

/// What came of asking for a deal.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The deal is ours to send.
    Mine(ClaimedDeal),
    /// It has its record: the ERP's reply, JSON.
    Done(String),
    /// Another run is sending it, until then at the longest.
    Busy(Timestamp),
}

/// A deal that is ours for the time of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDeal {
    /// The deal.
    pub key: String,
    /// Proves that the claim is the newest.
    pub fence: i64,
    /// The first claim ever; `sending` is committed with it.
    pub fresh: bool,
    /// An earlier insert may have reached the ERP, and no one knows.
    pub in_doubt: bool,
    /// Inserts that the ERP may have acted on.
    pub attempt: i64,
    /// Not before this time does a look-up tell whether the record exists.
    pub look_after: Option<Timestamp>,
}

/// How a claim ends without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// The ERP never acted on the insert.
    NotSent,
    /// The ERP refused the insert.
    Refused,
    /// The ERP may have acted on it; a look-up tells after this time.
    InDoubt(Timestamp),
    /// No insert was tried: everything stays as it was.
    Untouched,
}

impl Db {
    /// Claims a deal. A first claim commits at once that it is being sent; a later one tells what is known of the
    /// earlier ones.
    pub async fn claim_deal(&self, deal: DealRef<'_>, lease: Lease) -> anyhow::Result<Claim> {
        let now = self.clock().now();
        let claim = sqlx::query_as(
            "INSERT INTO deals (deal_key, account_id, lead_id, run_id, payload_hash, state, attempt, fence, \
                                claimed_by, claimed_until, look_after, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, 'sending', 1, 1, $6, $7, $8, $9, $9) \
             ON CONFLICT (deal_key) DO UPDATE SET fence = deals.fence + 1, run_id = excluded.run_id, \
                 claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until, \
                 updated_at = excluded.updated_at \
             WHERE deals.state <> 'done' \
                 AND (deals.claimed_until IS NULL OR deals.claimed_until <= excluded.updated_at) \
             RETURNING fence, state, attempt, look_after",
        )
        .bind(deal.key)
        .bind(signed(deal.account_id)?)
        .bind(signed(deal.lead_id)?)
        .bind(deal.run_id)
        .bind(deal.payload_hash)
        .bind(self.process())
        .bind((now + lease.holds).as_millisecond())
        .bind((now + lease.unknown).as_millisecond())
        .bind(now.as_millisecond());
        let mut transaction = self.begin().await?;
        let claimed: Vec<(i64, String, i64, Option<i64>)> = transaction.fetch(claim).await?;
        if let Some((fence, state, attempt, look_after)) = claimed.into_iter().next() {
            // The ERP is called on the strength of this row: not before it is certain to survive a crash.
            transaction.commit().await?;
            let sending = state == "sending";
            // A row that exists before its first claim is never `sending`.
            let fresh = fence == 1 && sending;
            let look_after = look_after.map(timestamp).transpose()?;
            let (key, in_doubt) = (deal.key.to_owned(), sending && !fresh);
            return Ok(Claim::Mine(ClaimedDeal {
                key,
                fence,
                fresh,
                in_doubt,
                attempt,
                look_after,
            }));
        }
        let query = sqlx::query_as("SELECT reply, claimed_until FROM deals WHERE deal_key = $1");
        let rows = transaction.fetch(query.bind(deal.key)).await?;
        transaction.commit().await?;
        let (reply, until): (Option<String>, Option<i64>) = only(rows)?;
        match reply {
            Some(reply) => Ok(Claim::Done(reply)),
            None => Ok(Claim::Busy(until.map_or(Ok(now), timestamp)?)),
        }
    }

    /// Commits that another insert is about to be sent. `false`: the claim is no longer ours, send nothing.
    pub async fn deal_sending(&self, deal: &ClaimedDeal, lease: Lease) -> anyhow::Result<bool> {
        let now = self.clock().now();
        let sending = sqlx::query(
            "UPDATE deals SET state = 'sending', attempt = attempt + 1, claimed_until = $3, look_after = $4, \
             updated_at = $5 WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
        )
        .bind(deal.key.as_str())
        .bind(deal.fence)
        .bind((now + lease.holds).as_millisecond())
        .bind((now + lease.unknown).as_millisecond())
        .bind(now.as_millisecond());
        Ok(self.commit(sending).await? == 1)
    }

    /// The ERP has the record of the deal. `false`: that was known before.
    pub async fn deal_done(&self, key: &str, erp_id: &str, reply: &str) -> anyhow::Result<bool> {
        let done = sqlx::query(
            "UPDATE deals SET state = 'done', erp_id = $2, reply = $3, claimed_by = NULL, claimed_until = NULL, \
             look_after = NULL, failure = NULL, updated_at = $4 WHERE deal_key = $1 AND state <> 'done'",
        )
        .bind(key)
        .bind(erp_id)
        .bind(reply)
        .bind(self.now());
        Ok(self.commit(done).await? == 1)
    }

    /// Ends a claim without a record. `failure` says why, for a person.
    pub async fn deal_unsent(
        &self,
        deal: &ClaimedDeal,
        how: Unsent,
        failure: &str,
    ) -> anyhow::Result<()> {
        let (state, uncounted, look_after) = match how {
            Unsent::NotSent => (Some("open"), 1, None),
            Unsent::Refused => (Some("open"), 0, None),
            Unsent::InDoubt(until) => (Some("sending"), 0, Some(until.as_millisecond())),
            Unsent::Untouched => (None, 0, deal.look_after.map(Timestamp::as_millisecond)),
        };
        let unsent = sqlx::query(
            "UPDATE deals SET state = COALESCE($3, state), attempt = attempt - $4, look_after = $5, failure = $6, \
             claimed_by = NULL, claimed_until = NULL, updated_at = $7 \
             WHERE deal_key = $1 AND fence = $2 AND state <> 'done'",
        )
        .bind(deal.key.as_str())
        .bind(deal.fence)
        .bind(state)
        .bind(i64::from(uncounted))
        .bind(look_after)
        .bind(failure)
        .bind(self.now());
        self.commit(unsent).await?;
        Ok(())
    }
}

fn signed(id: Option<u64>) -> anyhow::Result<Option<i64>> {
    id.map(i64::try_from).transpose().context("an id is out of range")
}
