//! What reconciliation remembers, and what follows from it for the next run.

use std::collections::BTreeMap;

use functions::ports::{self, FeedWindow, LeadEvent, Merge, ReconcileLog};
use functions::webhook::{Action, AmoCrmWebhook, Change};
use jiff::{SignedDuration, Timestamp};

use super::table::{self, Cursor};
use crate::db::Db;
use crate::deals::{self, Dedupe};
use crate::inbox::Inbox;
use crate::metrics::Metrics;

/// How long before a run began amoCRM may have shown it less than had happened.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// How far the daily look back goes.
const SWEEP: SignedDuration = SignedDuration::from_hours(48);
/// The longest window.
const STRIDE: SignedDuration = SignedDuration::from_hours(6);
/// Clocks differ: a webhook may seem to come before what it reports.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How long a webhook is waited for before its lead counts as missed.
pub(super) fn grace(dedupe: Dedupe) -> SignedDuration {
    match dedupe {
        // With one record for each lead a webhook that comes late is harmless.
        Dedupe::Lead => SignedDuration::from_mins(2),
        // With one for each webhook it is not, so all of amoCRM's own attempts are waited for, 95 minutes.
        Dedupe::Event => SignedDuration::from_mins(100),
    }
}

/// The log of reconciliation, in the database.
pub(crate) struct StoredLog {
    db: Db,
    inbox: Inbox,
    metrics: Metrics,
    dedupe: Dedupe,
}

impl StoredLog {
    pub(super) fn new(db: Db, inbox: Inbox, metrics: Metrics, dedupe: Dedupe) -> Self {
        Self { db, inbox, metrics, dedupe }
    }

    async fn first(&self) -> anyhow::Result<Option<FeedWindow>> {
        let begun = self.db.time();
        let cursor = table::cursor(&self.db, begun, begun.saturating_add(CLOCKS)?).await?;
        if let Some(window) = cursor.half_read {
            return Ok(Some(window));
        }
        let again = cursor.read_at.saturating_sub(OVERLAP)?;
        let from = cursor.read_to.saturating_add(SECOND)?.min(again);
        let to = begun.saturating_sub(grace(self.dedupe))?.max(cursor.read_to);
        Ok(match within(&cursor, from, to, begun, false) {
            None => self.sweep(&cursor, begun)?,
            window => window,
        })
    }

    /// What comes after `window`: first what was never read, then what was read before.
    fn after(&self, window: &FeedWindow, cursor: &Cursor) -> anyhow::Result<Option<FeedWindow>> {
        let begun = window.begun;
        let from = if window.sweep { cursor.read_to } else { window.to }.saturating_add(SECOND)?;
        Ok(match within(cursor, from, begun.saturating_sub(grace(self.dedupe))?, begun, false) {
            None => self.sweep(cursor, begun)?,
            unread => unread,
        })
    }

    /// The next part of the daily look back, while there is one.
    fn sweep(&self, cursor: &Cursor, begun: Timestamp) -> anyhow::Result<Option<FeedWindow>> {
        let from = match cursor.swept_to {
            Some(to) => to.saturating_add(SECOND)?,
            None if begun.duration_since(cursor.swept_at) >= SWEEP / 2 => {
                begun.saturating_sub(SWEEP)?
            }
            None => return Ok(None),
        };
        Ok(within(cursor, from, cursor.read_to, begun, true))
    }

    async fn only_news(&self, events: Vec<LeadEvent>) -> anyhow::Result<Vec<LeadEvent>> {
        let mut news = Vec::new();
        for event in events {
            if !table::is_settled(&self.db, &event.id).await? && !self.is_known(&event).await? {
                news.push(event);
            }
        }
        Ok(news)
    }

    /// Whether the lead has its record, or a deal on its way.
    async fn is_known(&self, event: &LeadEvent) -> anyhow::Result<bool> {
        let since = event.at.saturating_sub(CLOCKS)?;
        deals::is_accounted_for(&self.db, event.lead_id, since, self.dedupe).await
    }

    /// Stores the leads as a webhook's are stored. What was stored before a crash is known after it.
    async fn store(&self, missed: &[LeadEvent]) -> anyhow::Result<()> {
        // One for each lead is enough; the earliest is as good as any.
        let mut leads = BTreeMap::new();
        for event in self.only_news(missed.to_vec()).await? {
            leads.entry(event.lead_id).or_insert(event);
        }
        if !leads.is_empty() {
            let found: Vec<_> = leads.values().map(|event| (webhook(event), event.at)).collect();
            let events: Vec<_> = leads.values().collect();
            self.inbox.store_found(serde_json::to_vec(&events)?, &found).await?;
            self.metrics.leads_missed(leads.len());
            let leads: Vec<_> = leads.keys().collect();
            tracing::warn!(?leads, "no webhook reported these leads; reconciliation hands them on");
        }
        table::settle(&self.db, missed).await
    }

    /// Notes changes of leads that have a deal. What happened to all the others, which are many, is not even remembered.
    async fn note_changes(&self, events: &[LeadEvent]) -> anyhow::Result<()> {
        let mut known = Vec::new();
        for event in events {
            if deals::has_deal(&self.db, event.lead_id).await?
                && !table::is_settled(&self.db, &event.id).await?
            {
                known.push(event.clone());
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        let change = |event: &LeadEvent| {
            let deleted = event.action == Action::Delete;
            Change { lead_id: event.lead_id, deleted }
        };
        self.inbox.note_changes(known.iter().map(change).collect()).await?;
        table::settle(&self.db, &known).await
    }

    async fn known(&self, merges: Vec<Merge>) -> anyhow::Result<Vec<Merge>> {
        let mut known = Vec::new();
        for merge in merges {
            let mut has_deal = false;
            for lead in &merge.leads {
                has_deal |= deals::has_deal(&self.db, *lead).await?;
            }
            if has_deal && !table::is_settled(&self.db, &merge.event.id).await? {
                known.push(merge);
            }
        }
        Ok(known)
    }

    async fn join(&self, merge: &Merge, survivor: u64, gone: &[u64]) -> anyhow::Result<()> {
        for lead in gone {
            self.inbox.merged(survivor, *lead).await?;
        }
        tracing::info!(survivor, ?gone, "leads have become one in amoCRM");
        table::settle(&self.db, std::slice::from_ref(&merge.event)).await
    }
}

/// The part of `from` to `to` that one window may cover. What happened before reconciliation was switched on is not
/// ours: the records exist, made by other means.
fn within(
    cursor: &Cursor,
    from: Timestamp,
    to: Timestamp,
    begun: Timestamp,
    sweep: bool,
) -> Option<FeedWindow> {
    let from = from.max(cursor.started_at);
    let to = to.min(from.saturating_add(STRIDE).unwrap_or(to));
    (from <= to).then_some(FeedWindow { from, to, page: 1, sweep, begun })
}

/// The webhook that would have reported the lead.
fn webhook(event: &LeadEvent) -> AmoCrmWebhook {
    AmoCrmWebhook {
        lead_id: event.lead_id,
        account_id: event.account_id,
        subdomain: None,
        pipeline_id: event.stage.map(|stage| stage.0),
        status_id: event.stage.map(|stage| stage.1),
        old_pipeline_id: None,
        old_status_id: None,
        action: Some(event.action),
        received_at: None,
        delivery_id: None,
    }
}

impl ReconcileLog for StoredLog {
    async fn begin(&self) -> ports::Result<Option<FeedWindow>> {
        self.metrics.reconcile_begun();
        self.first().await.map_err(|error| database_failed(&error))
    }

    async fn news(&self, events: Vec<LeadEvent>) -> ports::Result<Vec<LeadEvent>> {
        self.only_news(events).await.map_err(|error| database_failed(&error))
    }

    async fn report(&self, leads: &[LeadEvent]) -> ports::Result<()> {
        if leads.is_empty() {
            return Ok(());
        }
        self.store(leads).await.map_err(|error| database_failed(&error))
    }

    async fn changed(&self, events: &[LeadEvent]) -> ports::Result<()> {
        self.note_changes(events).await.map_err(|error| database_failed(&error))
    }

    async fn merges(&self, merges: Vec<Merge>) -> ports::Result<Vec<Merge>> {
        self.known(merges).await.map_err(|error| database_failed(&error))
    }

    async fn merged(&self, merge: &Merge, survivor: u64, gone: &[u64]) -> ports::Result<()> {
        self.join(merge, survivor, gone).await.map_err(|error| database_failed(&error))
    }

    async fn dismiss(&self, events: &[LeadEvent]) -> ports::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        table::settle(&self.db, events).await.map_err(|error| database_failed(&error))
    }

    async fn advance(&self, window: &FeedWindow) -> ports::Result<Option<FeedWindow>> {
        let cursor =
            table::advance(&self.db, window).await.map_err(|error| database_failed(&error))?;
        self.after(window, &cursor).map_err(|error| database_failed(&error))
    }

    async fn leave_off(&self, window: &FeedWindow) -> ports::Result<()> {
        table::leave_off(&self.db, window).await.map_err(|error| database_failed(&error))
    }
}

fn database_failed(error: &anyhow::Error) -> ports::Error {
    ports::Error::again(format!("the database failed: {error:#}; it is tried again"))
}
