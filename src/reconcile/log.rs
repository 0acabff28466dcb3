//! Reconciliation, with amoCRM's feed on one side and the store on the other.

use functions::ports::{self, FeedPage, FeedWindow, LeadEvent, LeadFeed, ReconcileLog};
use functions::webhook::Action;
use jiff::{SignedDuration, Timestamp};

use super::feed::{FeedEvent, FeedQuery};
use crate::amocrm::{AmoCrmPort, TokenStore};
use crate::clock::SharedClock;
use crate::config::Dedupe;
use crate::db::Db;
use crate::metrics::Metrics;

/// How far behind its last end a run begins: events appear in the feed with a delay.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// How far the daily look back goes.
const SWEEP: SignedDuration = SignedDuration::from_hours(48);
/// How much time one run covers when there is much to catch up on.
const STRIDE: SignedDuration = SignedDuration::from_hours(6);
/// Clocks differ: a webhook may seem to come before what it tells of.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// How long a webhook is given before its lead counts as missed.
///
/// One record for each lead makes a webhook that comes late harmless. One record for each webhook does not, so then
/// all of amoCRM's own attempts are waited for, 95 minutes.
pub fn grace(dedupe: Dedupe) -> SignedDuration {
    match dedupe {
        Dedupe::Lead => SignedDuration::from_mins(2),
        Dedupe::Event => SignedDuration::from_mins(100),
    }
}

/// amoCRM's feed, for reconciliation.
#[derive(Debug, Clone)]
pub struct AmoCrmFeed<S>(pub AmoCrmPort<S>);

/// What reconciliation remembers.
#[derive(Clone)]
pub struct StoredReconcileLog {
    /// Where it is remembered.
    pub store: Db,
    /// Tells how far a run may look.
    pub clock: SharedClock,
    /// Counts what webhooks missed.
    pub metrics: Metrics,
    /// How long a webhook is given before its lead counts as missed.
    pub grace: SignedDuration,
}

impl<S: TokenStore> LeadFeed for AmoCrmFeed<S> {
    async fn page(&self, window: &FeedWindow, page: u32) -> ports::Result<FeedPage> {
        let client = self.0.client()?;
        let query = FeedQuery { from: time(&window.from)?, to: time(&window.to)?, page };
        let read = client.events(&query).await?;
        let events = read.events.into_iter().filter_map(lead_event).collect();
        Ok(FeedPage { events, more: read.more })
    }

    async fn stage(&self, lead_id: u64) -> ports::Result<Option<(u64, u64)>> {
        Ok(self.0.client()?.stage(lead_id).await?)
    }
}

fn lead_event(event: FeedEvent) -> Option<LeadEvent> {
    let action = match event.kind.as_str() {
        "lead_status_changed" => Action::Status,
        "lead_added" => Action::Add,
        "lead_restored" => Action::Restore,
        _ => return None,
    };
    let FeedEvent { id, lead_id, account_id, at, stage, .. } = event;
    Some(LeadEvent { id, action, lead_id, account_id, at: at.to_string(), stage })
}

impl StoredReconcileLog {
    /// What the next run shall read.
    async fn next(&self) -> anyhow::Result<(Timestamp, Timestamp, bool)> {
        let cursor = self.store.reconcile_cursor().await?;
        let now = self.clock.now();
        let latest = now.saturating_sub(self.grace)?;
        let to = latest.min(cursor.cursor_at.saturating_add(STRIDE)?).max(cursor.cursor_at);
        // First what lies between, then what was read before.
        let sweep = to >= latest && now.duration_since(cursor.swept_at) >= SWEEP / 2;
        let back =
            if sweep { now.saturating_sub(SWEEP)?.min(cursor.cursor_at) } else { cursor.cursor_at };
        // What happened before this service was switched on is not ours: the records exist, made by other means.
        let from = back.saturating_sub(OVERLAP)?.max(cursor.started_at).min(to);
        Ok((from, to, sweep))
    }

    async fn settle(&self, events: &[LeadEvent], leads: &[u64]) -> ports::Result<()> {
        let mut settled = Vec::with_capacity(events.len());
        for event in events {
            settled.push((event.id.as_str(), time(&event.at)?));
        }
        self.store.settle_events(&settled, leads).await.map_err(|error| store_failed(&error))
    }
}

impl ReconcileLog for StoredReconcileLog {
    async fn window(&self) -> ports::Result<FeedWindow> {
        let (from, to, sweep) = self.next().await.map_err(|error| store_failed(&error))?;
        Ok(FeedWindow { from: from.to_string(), to: to.to_string(), sweep })
    }

    async fn news(&self, events: Vec<LeadEvent>) -> ports::Result<Vec<LeadEvent>> {
        let mut news = Vec::new();
        for event in events {
            let told_since =
                time(&event.at)?.saturating_sub(CLOCKS).map_err(ports::Error::again)?;
            let is_news = self.store.is_news(&event.id, event.lead_id, told_since).await;
            if is_news.map_err(|error| store_failed(&error))? {
                news.push(event);
            }
        }
        Ok(news)
    }

    async fn dismiss(&self, events: &[LeadEvent]) -> ports::Result<()> {
        if events.is_empty() { Ok(()) } else { self.settle(events, &[]).await }
    }

    async fn reconciled(&self, window: &FeedWindow, missed: &[LeadEvent]) -> ports::Result<()> {
        let leads: Vec<u64> = missed.iter().map(|event| event.lead_id).collect();
        self.settle(missed, &leads).await?;
        let advanced = self.store.advance_reconcile_cursor(time(&window.to)?, window.sweep).await;
        advanced.map_err(|error| store_failed(&error))?;
        self.metrics.reconciled(missed.len());
        if !missed.is_empty() {
            tracing::warn!(?leads, "no webhook told of these leads; reconciliation sent them on");
        }
        Ok(())
    }
}

fn store_failed(error: &anyhow::Error) -> ports::Error {
    ports::Error::again(format!("the database failed: {error:#}"))
}

/// A time as the functions keep it.
fn time(text: &str) -> ports::Result<Timestamp> {
    text.parse().map_err(ports::Error::again)
}
