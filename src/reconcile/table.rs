//! What reconciliation remembers: how far it has come, which events are settled, and of which leads we were told.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use crate::db::{Db, Transaction, only, timestamp};

/// How far reconciliation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReconcileCursor {
    /// When it was first switched on: what happened before is not ours.
    pub started_at: Timestamp,
    /// Everything up to here was read.
    pub cursor_at: Timestamp,
    /// When the last long look back was.
    pub swept_at: Timestamp,
}

/// How long settled events and notices are kept behind the cursor; longer than any look back.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Db {
    /// The cursor; one that starts now where there is none.
    pub async fn reconcile_cursor(&self) -> anyhow::Result<ReconcileCursor> {
        let mut transaction = self.begin().await?;
        let start = sqlx::query(
            "INSERT INTO reconcile_cursor (id, started_at, cursor_at, swept_at) VALUES (1, $1, $1, $1) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(self.now());
        transaction.execute(start).await?;
        let query = "SELECT started_at, cursor_at, swept_at FROM reconcile_cursor WHERE id = 1";
        let row: (i64, i64, i64) = only(transaction.fetch(sqlx::query_as(query)).await?)?;
        transaction.commit().await?;
        Ok(ReconcileCursor {
            started_at: timestamp(row.0)?,
            cursor_at: timestamp(row.1)?,
            swept_at: timestamp(row.2)?,
        })
    }

    /// Moves the cursor on to `read_to`, never back, and forgets what lies far behind it.
    pub async fn advance_reconcile_cursor(
        &self,
        read_to: Timestamp,
        swept: bool,
    ) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        let advance = sqlx::query(
            "UPDATE reconcile_cursor SET cursor_at = CASE WHEN cursor_at < $1 THEN $1 ELSE cursor_at END, \
             swept_at = CASE WHEN $2 = 1 THEN $3 ELSE swept_at END WHERE id = 1",
        )
        .bind(read_to.as_millisecond())
        .bind(i64::from(swept))
        .bind(self.now());
        transaction.execute(advance).await?;
        let old = read_to.saturating_sub(KEPT).unwrap_or(Timestamp::MIN).as_millisecond();
        for query in [
            "DELETE FROM reconcile_events WHERE happened_at < $1",
            "DELETE FROM lead_notices WHERE noticed_at < $1",
        ] {
            transaction.execute(sqlx::query(query).bind(old)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Whether an event of the feed still needs to be looked at: it is not settled, and no one has told us of the
    /// lead since `told_since`.
    pub async fn is_news(
        &self,
        event_id: &str,
        lead_id: u64,
        told_since: Timestamp,
    ) -> anyhow::Result<bool> {
        let rows = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM reconcile_events WHERE event_id = $1) \
             + (SELECT COUNT(*) FROM lead_notices WHERE lead_id = $2 AND noticed_at >= $3)",
        )
        .bind(event_id)
        .bind(row_id(lead_id)?)
        .bind(told_since.as_millisecond())
        .fetch_all(self.reader())
        .await?;
        let (known,): (i64,) = only(rows)?;
        Ok(known == 0)
    }

    /// Settles events of the feed, as (id, time). `leads` were sent on because of them.
    pub async fn settle_events(
        &self,
        events: &[(&str, Timestamp)],
        leads: &[u64],
    ) -> anyhow::Result<()> {
        let mut transaction = self.begin().await?;
        for (event_id, happened_at) in events {
            let settled = sqlx::query(
                "INSERT INTO reconcile_events (event_id, happened_at) VALUES ($1, $2) \
                 ON CONFLICT (event_id) DO NOTHING",
            )
            .bind(*event_id)
            .bind(happened_at.as_millisecond());
            transaction.execute(settled).await?;
        }
        let mut notices = BTreeMap::new();
        for lead_id in leads {
            notices.insert(row_id(*lead_id)?, self.now());
        }
        note_leads(&mut transaction, &notices).await?;
        Ok(transaction.commit().await?)
    }
}

/// Notes that we were told of leads. In the order of their ids, so that two replicas never wait for each other.
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

fn row_id(lead_id: u64) -> anyhow::Result<i64> {
    i64::try_from(lead_id).context("the lead's id is out of range")
}
