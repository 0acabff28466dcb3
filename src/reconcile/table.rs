//! How far reconciliation has read, and which events of the feed are handled: sent on, or found to be of no concern.

use functions::ports::{FeedWindow, LeadEvent};
use jiff::{SignedDuration, Timestamp};

use crate::db::{Db, only, timestamp};

/// How far reconciliation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// When it was first switched on.
    pub(super) started_at: Timestamp,
    /// Everything up to here was read.
    pub(super) read_to: Timestamp,
    /// When the last daily look-back was.
    pub(super) swept_at: Timestamp,
}

/// How long handled events are kept behind the cursor; longer than any look-back.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The cursor; one that starts now where there is none.
pub(super) async fn cursor(db: &Db, now: Timestamp) -> anyhow::Result<Cursor> {
    let mut transaction = db.begin().await?;
    let start = sqlx::query(
        "INSERT INTO reconcile_cursor (id, started_at, cursor_at, swept_at) VALUES (1, $1, $1, $1) \
         ON CONFLICT (id) DO NOTHING",
    );
    transaction.execute(start.bind(now.as_millisecond())).await?;
    let query = "SELECT started_at, cursor_at, swept_at FROM reconcile_cursor WHERE id = 1";
    let row: (i64, i64, i64) = only(transaction.fetch(sqlx::query_as(query)).await?)?;
    transaction.commit().await?;
    Ok(Cursor {
        started_at: timestamp(row.0)?,
        read_to: timestamp(row.1)?,
        swept_at: timestamp(row.2)?,
    })
}

/// Moves the cursor to the end of `window`, never back, and forgets what lies far behind it.
pub(super) async fn advance(db: &Db, window: &FeedWindow, now: Timestamp) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    let advance = sqlx::query(
        "UPDATE reconcile_cursor SET cursor_at = CASE WHEN cursor_at < $1 THEN $1 ELSE cursor_at END, \
         swept_at = CASE WHEN $2 = 1 THEN $3 ELSE swept_at END WHERE id = 1",
    )
    .bind(window.to.as_millisecond())
    .bind(i64::from(window.sweep))
    .bind(now.as_millisecond());
    transaction.execute(advance).await?;
    let old = window.to.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    let handled = sqlx::query("DELETE FROM reconcile_events WHERE happened_at < $1");
    transaction.execute(handled.bind(old.as_millisecond())).await?;
    Ok(transaction.commit().await?)
}

/// Whether an event of the feed was handled.
pub(super) async fn is_handled(db: &Db, event_id: &str) -> anyhow::Result<bool> {
    let query = sqlx::query_as("SELECT COUNT(*) FROM reconcile_events WHERE event_id = $1");
    let (handled,): (i64,) = only(db.fetch(query.bind(event_id)).await?)?;
    Ok(handled > 0)
}

/// Marks events of the feed as handled.
pub(super) async fn mark_handled(db: &Db, events: &[LeadEvent]) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    for event in events {
        let handled = sqlx::query(
            "INSERT INTO reconcile_events (event_id, happened_at) VALUES ($1, $2) \
             ON CONFLICT (event_id) DO NOTHING",
        )
        .bind(event.id.as_str())
        .bind(event.at.as_millisecond());
        transaction.execute(handled).await?;
    }
    Ok(transaction.commit().await?)
}
