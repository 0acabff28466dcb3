//! Carries leads from the inbox to Inngest, until Inngest has them.

use std::sync::Arc;
use std::time::Duration;

use functions::webhook::AmoCrmWebhook;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::sink::{EventSink, OutgoingEvent, SendError};
use crate::metrics::Metrics;
use crate::store::{InboxRow, Store};

/// The most events in one request.
const BATCH: u32 = 100;

/// How often the forwarder looks and tries.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often to look into the inbox without being woken: rows of another process, or a missed wake-up.
    pub poll: Duration,
    /// The first wait while Inngest is away.
    pub first_retry: Duration,
    /// The longest wait while Inngest is away.
    pub longest_retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(60),
        }
    }
}

/// Sends what lies in the inbox, and forgets it once Inngest has it.
pub struct Forwarder<S> {
    /// The inbox.
    pub store: Store,
    /// Inngest.
    pub sink: S,
    /// Told when a webhook was stored.
    pub wake: Arc<Notify>,
    /// Counts what was sent.
    pub metrics: Metrics,
    /// When to try.
    pub pace: Pace,
}

/// How a batch went.
enum Batch {
    /// There was nothing to send.
    Empty,
    /// Everything in it was accepted or parked.
    Done,
    /// Inngest takes nothing now.
    Away(Option<Duration>),
}

impl<S: EventSink> Forwarder<S> {
    /// Forwards until `stop`; a batch that is under way is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.pace.first_retry, self.pace.longest_retry);
        while !stop.is_cancelled() {
            let batch = self.forward_batch(&stop).await.unwrap_or_else(|error| {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the inbox cannot be read or changed"
                );
                Batch::Away(None)
            });
            match batch {
                Batch::Done => backoff.reset(),
                Batch::Empty => {
                    backoff.reset();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep(self.pace.poll) => {}
                    }
                }
                // A new webhook does not bring Inngest back: it does not cut this wait short.
                Batch::Away(asked) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(backoff.wait(asked)) => {}
                },
            }
        }
    }

    async fn forward_batch(&self, stop: &CancellationToken) -> anyhow::Result<Batch> {
        let rows = self.store.claim_batch(BATCH).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.id.clone();
            match event(row) {
                Ok(event) => events.push(event),
                Err(error) => {
                    self.park(&id, &format!("the stored payload is no JSON: {error}")).await?;
                }
            }
        }
        if events.is_empty() {
            return Ok(Batch::Empty);
        }
        match self.sink.send(&events).await {
            Ok(()) => self.forget(&events).await,
            Err(SendError::Retriable { reason, retry_after }) => {
                self.keep(&events, &reason, retry_after).await
            }
            Err(SendError::Refused { accepted, reason }) => {
                let (accepted, rest) = events.split_at(accepted.min(events.len()));
                self.forget(accepted).await?;
                match (accepted, rest) {
                    ([], [alone]) => self.park(&alone.id, &reason).await.map(|()| Batch::Done),
                    _ => self.forward_singly(rest, stop).await,
                }
            }
        }
    }

    /// Finds out which event it is that Inngest refuses, and lets the others through.
    async fn forward_singly(
        &self,
        events: &[OutgoingEvent],
        stop: &CancellationToken,
    ) -> anyhow::Result<Batch> {
        for (position, event) in events.iter().enumerate() {
            if stop.is_cancelled() {
                self.store.release(&ids(&events[position..])).await?;
                break;
            }
            let alone = std::slice::from_ref(event);
            match self.sink.send(alone).await {
                Ok(()) => self.forget(alone).await.map(drop)?,
                Err(SendError::Refused { reason, .. }) => self.park(&event.id, &reason).await?,
                Err(SendError::Retriable { reason, retry_after }) => {
                    self.store.release(&ids(&events[position + 1..])).await?;
                    return self.keep(alone, &reason, retry_after).await;
                }
            }
        }
        Ok(Batch::Done)
    }

    /// Inngest has them.
    async fn forget(&self, events: &[OutgoingEvent]) -> anyhow::Result<Batch> {
        if !events.is_empty() {
            self.metrics.events_sent(events.len());
            self.store.delete_accepted(&ids(events)).await?;
            tracing::debug!(events = events.len(), "events sent");
        }
        Ok(Batch::Done)
    }

    /// Inngest is away, or takes nothing from us.
    async fn keep(
        &self,
        events: &[OutgoingEvent],
        reason: &str,
        retry_after: Option<Duration>,
    ) -> anyhow::Result<Batch> {
        self.metrics.send_failed();
        tracing::warn!(events = events.len(), reason, "events not sent, they will be sent again");
        self.store.record_failure(&ids(events), reason).await?;
        Ok(Batch::Away(retry_after))
    }

    /// Inngest will never take it: kept where a person sees it.
    async fn park(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        self.metrics.event_parked();
        tracing::error!(event = id, reason, "Inngest refuses an event; it is parked");
        self.store.park(id, reason).await
    }
}

fn event(row: InboxRow) -> serde_json::Result<OutgoingEvent> {
    Ok(OutgoingEvent {
        id: row.id,
        name: AmoCrmWebhook::EVENT_NAME,
        data: RawValue::from_string(row.payload)?,
        ts: row.received_at.as_millisecond(),
    })
}

fn ids(events: &[OutgoingEvent]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}
