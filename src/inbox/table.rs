//! The inbox: what amoCRM was promised and Inngest does not have yet.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::db::{Db, only, timestamp};

/// How long a replica may take to send what it has claimed.
pub const CLAIM: Duration = Duration::from_secs(45);

/// A lead on its way to Inngest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    /// The row, and the event made from it.
    pub id: String,
    /// The lead.
    pub lead_id: i64,
    /// The data of the event, JSON.
    pub payload: String,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// How often sending it has failed.
    pub attempts: i64,
}

type Columns = (String, i64, String, i64, i64);

impl InboxRow {
    fn from_columns(columns: Columns) -> anyhow::Result<Self> {
        let (id, lead_id, payload, received_at, attempts) = columns;
        Ok(Self { id, lead_id, payload, received_at: timestamp(received_at)?, attempts })
    }
}

/// A lead that Inngest refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The row.
    pub id: String,
    /// The lead.
    pub lead_id: i64,
    /// When it was given up.
    pub parked_at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A lead that was sent in vain so far, and will be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// The row.
    pub id: String,
    /// The lead.
    pub lead_id: i64,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// How often sending it has failed.
    pub attempts: i64,
    /// Why it failed last.
    pub reason: String,
}

/// What lies in the inbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// Leads that still have to be sent.
    pub waiting: i64,
    /// Leads that Inngest refuses for good.
    pub parked: i64,
    /// Kept bodies of which something could not be read.
    pub unparsable: i64,
    /// When the oldest of the waiting came in.
    pub oldest_waiting: Option<Timestamp>,
}

impl Db {
    /// Claims the next leads to send, oldest first. No other replica gets them for [`CLAIM`]; who has not removed them
    /// by then has crashed, and they are due again.
    pub async fn claim_batch(&self, limit: u32) -> anyhow::Result<Vec<InboxRow>> {
        let now = self.clock().now();
        // The condition is asked twice: of two replicas that pick the same rows the second one waits for the first, and
        // then looks at what the first has made of them.
        let claim = sqlx::query_as(
            "UPDATE inbox SET claimed_until = $1 WHERE id IN (\
                 SELECT id FROM inbox WHERE parked_at IS NULL AND (claimed_until IS NULL OR claimed_until <= $2) \
                 ORDER BY id LIMIT $3\
             ) AND (claimed_until IS NULL OR claimed_until <= $2) \
             RETURNING id, lead_id, payload, received_at, attempts",
        )
        .bind((now + CLAIM).as_millisecond())
        .bind(now.as_millisecond())
        .bind(i64::from(limit));
        let mut transaction = self.begin().await?;
        let mut rows: Vec<Columns> = transaction.fetch(claim).await?;
        transaction.commit().await?;
        rows.sort_unstable();
        rows.into_iter().map(InboxRow::from_columns).collect()
    }

    /// The leads that Inngest does not have yet, oldest first, claimed or not.
    pub async fn waiting(&self, limit: u32) -> anyhow::Result<Vec<InboxRow>> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, lead_id, payload, received_at, attempts FROM inbox \
             WHERE parked_at IS NULL ORDER BY id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.into_iter().map(InboxRow::from_columns).collect()
    }

    /// Makes rows due again that were claimed and not tried.
    pub async fn release(&self, ids: &[&str]) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        for id in ids {
            let release = sqlx::query("UPDATE inbox SET claimed_until = NULL WHERE id = $1");
            transaction.execute(release.bind(*id)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Removes rows that Inngest has accepted.
    pub async fn delete_accepted(&self, ids: &[&str]) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        for id in ids {
            let accepted = sqlx::query("DELETE FROM inbox WHERE id = $1");
            transaction.execute(accepted.bind(*id)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that sending these rows has failed. They stay due.
    pub async fn record_failure(&self, ids: &[&str], error: &str) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        for id in ids {
            let failed = sqlx::query(
                "UPDATE inbox SET attempts = attempts + 1, last_error = $2, claimed_until = NULL WHERE id = $1",
            );
            transaction.execute(failed.bind(*id).bind(error)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Gives a row up, visibly: it stays, with the reason, and is no longer due.
    pub async fn park(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        let parked = sqlx::query(
            "UPDATE inbox SET parked_at = $2, parked_reason = $3, claimed_until = NULL WHERE id = $1",
        );
        self.commit(parked.bind(id).bind(self.now()).bind(reason)).await?;
        Ok(())
    }

    /// The rows that were given up, newest first.
    pub async fn parked(&self, limit: u32) -> anyhow::Result<Vec<ParkedRow>> {
        let rows: Vec<(String, i64, i64, String)> = sqlx::query_as(
            "SELECT id, lead_id, parked_at, COALESCE(parked_reason, '') FROM inbox \
             WHERE parked_at IS NOT NULL ORDER BY parked_at DESC, id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.into_iter()
            .map(|(id, lead_id, parked_at, reason)| {
                Ok(ParkedRow { id, lead_id, parked_at: timestamp(parked_at)?, reason })
            })
            .collect()
    }

    /// The rows that were sent in vain so far, oldest first: those of `lead`, or all.
    pub async fn held(&self, lead: Option<u64>, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
        let rows: Vec<(String, i64, i64, i64, String)> = sqlx::query_as(
            "SELECT id, lead_id, received_at, attempts, last_error FROM inbox WHERE parked_at IS NULL \
             AND last_error IS NOT NULL AND lead_id = COALESCE($1, lead_id) ORDER BY id LIMIT $2",
        )
        .bind(stored(lead)?)
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        rows.into_iter()
            .map(|(id, lead_id, received_at, attempts, reason)| {
                let received_at = timestamp(received_at)?;
                Ok(HeldRow { id, lead_id, received_at, attempts, reason })
            })
            .collect()
    }

    /// Makes rows due again that were given up: those of `lead`, or all. Returns how many.
    pub async fn unpark(&self, lead: Option<u64>) -> anyhow::Result<u64> {
        let query = "UPDATE inbox SET parked_at = NULL, parked_reason = NULL \
                     WHERE parked_at IS NOT NULL AND lead_id = COALESCE($1, lead_id)";
        self.commit(sqlx::query(query).bind(stored(lead)?)).await
    }

    /// What lies in the inbox.
    pub async fn inbox_counts(&self) -> anyhow::Result<InboxCounts> {
        let rows = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM inbox WHERE parked_at IS NULL), \
                    (SELECT COUNT(*) FROM inbox WHERE parked_at IS NOT NULL), \
                    (SELECT COUNT(*) FROM webhook_bodies WHERE state <> 'read'), \
                    (SELECT MIN(received_at) FROM inbox WHERE parked_at IS NULL)",
        )
        .fetch_all(self.reader())
        .await?;
        let (waiting, parked, unparsable, oldest): (i64, i64, i64, Option<i64>) = only(rows)?;
        let oldest_waiting = oldest.map(timestamp).transpose()?;
        Ok(InboxCounts { waiting, parked, unparsable, oldest_waiting })
    }
}

/// A lead's id as it is stored.
fn stored(lead: Option<u64>) -> anyhow::Result<Option<i64>> {
    lead.map(i64::try_from).transpose().context("the lead's id is out of range")
}
