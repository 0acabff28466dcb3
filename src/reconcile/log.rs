//! What reconciliation remembers, and what follows from it for the next run.

use functions::ports::{self, FeedWindow, LeadEvent, ReconcileLog};
use jiff::{SignedDuration, Timestamp};

use super::table;
use crate::db::Db;
use crate::deals::{self, Dedupe};
use crate::metrics::Metrics;

/// How far behind its last end a run begins: events appear in the feed with a delay.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// How far the daily look-back goes.
const SWEEP: SignedDuration = SignedDuration::from_hours(48);
/// How much time one run covers when there is much to catch up on.
const STRIDE: SignedDuration = SignedDuration::from_hours(6);
/// Clocks differ: a webhook may seem to come before what it reports.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// The log of reconciliation, in the database.
pub(crate) struct StoredLog {
    db: Db,
    metrics: Metrics,
    dedupe: Dedupe,
    /// How long a webhook is waited for before its lead counts as missed.
    grace: SignedDuration,
}

impl StoredLog {
    pub(super) fn new(db: Db, metrics: Metrics, dedupe: Dedupe) -> Self {
        let grace = match dedupe {
            // With one record for each lead a webhook that comes late is harmless.
            Dedupe::Lead => SignedDuration::from_mins(2),
            // With one for each webhook it is not, so all of amoCRM's own attempts are waited for, 95 minutes.
            Dedupe::Event => SignedDuration::from_mins(100),
        };
        Self { db, metrics, dedupe, grace }
    }

    async fn next_window(&self) -> anyhow::Result<FeedWindow> {
        let now = self.now();
        let cursor = table::cursor(&self.db, now).await?;
        let latest = now.saturating_sub(self.grace)?;
        let to = latest.min(cursor.read_to.saturating_add(STRIDE)?).max(cursor.read_to);
        // First what was never read, then what was read before.
        let sweep = to >= latest && now.duration_since(cursor.swept_at) >= SWEEP / 2;
        let back =
            if sweep { now.saturating_sub(SWEEP)?.min(cursor.read_to) } else { cursor.read_to };
        // What happened before reconciliation was switched on is not ours: the records exist, made by other means.
        let from = back.saturating_sub(OVERLAP)?.max(cursor.started_at).min(to);
        Ok(FeedWindow { from, to, sweep })
    }

    /// Whether no run has handled the event, and its lead has neither a record nor a deal on its way.
    async fn is_news(&self, event: &LeadEvent) -> anyhow::Result<bool> {
        if table::is_handled(&self.db, &event.id).await? {
            return Ok(false);
        }
        let since = event.at.saturating_sub(CLOCKS)?;
        Ok(!deals::is_accounted_for(&self.db, event.lead_id, since, self.dedupe).await?)
    }

    fn now(&self) -> Timestamp {
        self.db.clock().now()
    }
}

impl ReconcileLog for StoredLog {
    async fn window(&self) -> ports::Result<FeedWindow> {
        self.next_window().await.map_err(|error| database_failed(&error))
    }

    async fn news(&self, events: Vec<LeadEvent>) -> ports::Result<Vec<LeadEvent>> {
        let mut news = Vec::new();
        for event in events {
            if self.is_news(&event).await.map_err(|error| database_failed(&error))? {
                news.push(event);
            }
        }
        Ok(news)
    }

    async fn dismiss(&self, events: &[LeadEvent]) -> ports::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let dismissed = table::mark_handled(&self.db, events).await;
        dismissed.map_err(|error| database_failed(&error))
    }

    async fn reconciled(&self, window: &FeedWindow, missed: &[LeadEvent]) -> ports::Result<()> {
        let leads: Vec<u64> = missed.iter().map(|event| event.lead_id).collect();
        let handled = table::mark_handled(&self.db, missed).await;
        handled.map_err(|error| database_failed(&error))?;
        let advanced = table::advance(&self.db, window, self.now()).await;
        advanced.map_err(|error| database_failed(&error))?;
        self.metrics.reconciled(missed.len());
        if !missed.is_empty() {
            tracing::warn!(?leads, "no webhook reported these leads; reconciliation sent them on");
        }
        Ok(())
    }
}

fn database_failed(error: &anyhow::Error) -> ports::Error {
    ports::Error::again(format!("the database failed: {error:#}; it is tried again"))
}
