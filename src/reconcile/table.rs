//! How far reconciliation has read, and which events of the feed are settled: handed on, or of no concern.

use functions::ports::{FeedWindow, LeadEvent};
use jiff::{SignedDuration, Timestamp};

use crate::db::{Db, Transaction, only, timestamp};

/// How far reconciliation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// When it was first switched on.
    pub(super) started_at: Timestamp,
    /// Everything up to here was read.
    pub(super) read_to: Timestamp,
    /// When the run began that read the last of it. What amoCRM showed later than that it has not seen.
    pub(super) read_at: Timestamp,
    /// When the last complete daily look back began.
    pub(super) swept_at: Timestamp,
    /// How far the look back that is under way has come.
    pub(super) swept_to: Option<Timestamp>,
    /// The window that the last run left half-way.
    pub(super) half_read: Option<FeedWindow>,
}

/// How long settled events are kept; longer than any look back.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

type Row = (i64, i64, i64, i64, Option<i64>, Option<String>);

/// The cursor; one that starts now where there is none, and one that lies further ahead than `furthest` is pulled back
/// to `now`.
pub(super) async fn cursor(db: &Db, now: Timestamp, furthest: Timestamp) -> anyhow::Result<Cursor> {
    let mut transaction = db.begin().await?;
    let start = sqlx::query(
        "INSERT INTO reconcile_cursor (id, started_at, cursor_at, read_at, swept_at) \
         VALUES (1, $1, $1, $1, $1) ON CONFLICT (id) DO NOTHING",
    );
    transaction.execute(start.bind(now.as_millisecond())).await?;
    let mut cursor = read(&mut transaction).await?;
    if cursor.read_to.max(cursor.read_at).max(cursor.started_at) > furthest {
        tracing::warn!(
            cursor = %cursor.read_to,
            "reconciliation had read into the future: the clock of this machine was wrong. It goes on from now, and \
             looks back over the last two days"
        );
        pull_back(&mut transaction, now).await?;
        cursor = read(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(cursor)
}

async fn read(transaction: &mut Transaction) -> anyhow::Result<Cursor> {
    let query = "SELECT started_at, cursor_at, read_at, swept_at, swept_to, half_read \
                 FROM reconcile_cursor WHERE id = 1";
    let row: Row = only(transaction.fetch(sqlx::query_as(query)).await?)?;
    Ok(Cursor {
        started_at: timestamp(row.0)?,
        read_to: timestamp(row.1)?,
        read_at: timestamp(row.2)?,
        swept_at: timestamp(row.3)?,
        swept_to: row.4.map(timestamp).transpose()?,
        // What a later version has written is read anew.
        half_read: row.5.and_then(|window| serde_json::from_str(&window).ok()),
    })
}

/// Moves everything that lies ahead of `now` back to it, and makes a look back due.
async fn pull_back(transaction: &mut Transaction, now: Timestamp) -> sqlx::Result<()> {
    let pull = sqlx::query(
        "UPDATE reconcile_cursor SET swept_at = 0, swept_to = NULL, half_read = NULL, \
         started_at = CASE WHEN started_at > $1 THEN $1 ELSE started_at END, \
         cursor_at = CASE WHEN cursor_at > $1 THEN $1 ELSE cursor_at END, \
         read_at = CASE WHEN read_at > $1 THEN $1 ELSE read_at END WHERE id = 1",
    );
    transaction.execute(pull.bind(now.as_millisecond())).await.map(drop)
}

/// How far the feed was read; `None` before the first run.
pub(super) async fn read_to(db: &Db) -> anyhow::Result<Option<Timestamp>> {
    let query = sqlx::query_as("SELECT cursor_at FROM reconcile_cursor WHERE id = 1");
    let rows: Vec<(i64,)> = db.fetch(query).await?;
    rows.first().map(|(at,)| timestamp(*at)).transpose()
}

/// `window` was read to its end. The cursor never goes back.
pub(super) async fn advance(db: &Db, window: &FeedWindow) -> anyhow::Result<Cursor> {
    let mut transaction = db.begin().await?;
    let (to, begun) = (window.to.as_millisecond(), window.begun.as_millisecond());
    let advance = if window.sweep {
        // A look back ends where the reading of what is new began.
        "UPDATE reconcile_cursor SET half_read = NULL, \
         swept_at = CASE WHEN cursor_at <= $1 THEN $2 ELSE swept_at END, \
         swept_to = CASE WHEN cursor_at <= $1 THEN NULL ELSE $1 END WHERE id = 1"
    } else {
        "UPDATE reconcile_cursor SET half_read = NULL, \
         read_at = CASE WHEN cursor_at <= $1 THEN $2 ELSE read_at END, \
         cursor_at = CASE WHEN cursor_at < $1 THEN $1 ELSE cursor_at END WHERE id = 1"
    };
    transaction.execute(sqlx::query(advance).bind(to).bind(begun)).await?;
    let cursor = read(&mut transaction).await?;
    forget(&mut transaction).await?;
    transaction.commit().await?;
    Ok(cursor)
}

/// The next run begins with `window`.
pub(super) async fn leave_off(db: &Db, window: &FeedWindow) -> anyhow::Result<()> {
    let window = serde_json::to_string(window)?;
    let leave = sqlx::query("UPDATE reconcile_cursor SET half_read = $1 WHERE id = 1");
    db.commit(leave.bind(window)).await.map(drop)
}

/// Forgets what lies far behind: events by amoCRM's clock, which a wrong one of ours does not move.
async fn forget(transaction: &mut Transaction) -> anyhow::Result<()> {
    let old = sqlx::query(
        "DELETE FROM reconcile_events WHERE happened_at < \
         (SELECT MAX(happened_at) FROM reconcile_events) - $1",
    );
    transaction.execute(old.bind(i64::try_from(KEPT.as_millis())?)).await?;
    Ok(())
}

/// Whether an event of the feed was settled.
pub(super) async fn is_settled(db: &Db, event_id: &str) -> anyhow::Result<bool> {
    let query = sqlx::query_as("SELECT COUNT(*) FROM reconcile_events WHERE event_id = $1");
    let (settled,): (i64,) = only(db.fetch(query.bind(event_id)).await?)?;
    Ok(settled > 0)
}

/// Settles events of the feed.
pub(super) async fn settle(db: &Db, events: &[LeadEvent]) -> anyhow::Result<()> {
    let mut transaction = db.begin().await?;
    for event in events {
        let settled = sqlx::query(
            "INSERT INTO reconcile_events (event_id, happened_at) VALUES ($1, $2) \
             ON CONFLICT (event_id) DO NOTHING",
        )
        .bind(event.id.as_str())
        .bind(event.at.as_millisecond());
        transaction.execute(settled).await?;
    }
    Ok(transaction.commit().await?)
}
