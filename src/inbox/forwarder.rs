//! Carries leads from the inbox to Inngest, until Inngest has them.

use std::collections::HashMap;
use std::time::Duration;

use functions::webhook::AmoCrmWebhook;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::sink::{EventSink, OutgoingEvent, SendError};
use super::{Inbox, InboxRow, table};
use crate::metrics::Metrics;

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
    pub inbox: Inbox,
    /// Inngest.
    pub sink: S,
    /// Counts what was sent.
    pub metrics: Metrics,
    /// When to try.
    pub pace: Pace,
}

/// How a batch went.
enum Batch {
    /// There was nothing to send.
    Empty,
    /// Everything in it was accepted or parked, or more waits behind it.
    Done,
    /// Some events are not taken; others may be.
    Held,
    /// Inngest takes nothing now.
    Away(Option<Duration>),
}

/// Since when an event is refused at every try, by row. A new process is patient anew.
type Refusals = HashMap<String, Instant>;

impl<S: EventSink> Forwarder<S> {
    /// Forwards until `stop`; a request that is under way is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.pace.first_retry, self.pace.longest_retry);
        let mut refusals = Refusals::new();
        while !stop.is_cancelled() {
            let batch = self.forward_batch(&mut refusals, &stop).await.unwrap_or_else(|error| {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the inbox cannot be read or changed"
                );
                Batch::Away(None)
            });
            let (wait, can_be_woken) = match batch {
                Batch::Done => {
                    backoff.reset();
                    continue;
                }
                Batch::Empty => {
                    backoff.reset();
                    (self.pace.poll, true)
                }
                Batch::Held => (backoff.wait(None), true),
                // A new webhook does not bring Inngest back: it does not cut this wait short.
                Batch::Away(asked) => (backoff.wait(asked), false),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.inbox.wake.notified(), if can_be_woken => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn forward_batch(
        &self,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> anyhow::Result<Batch> {
        let rows = table::claim(&self.inbox.db, BATCH).await?;
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
        let (mut sent, mut held) = (0, 0);
        // What is still to be sent, the next part last. An event that is not taken must not keep the others back.
        let mut parts = vec![events.as_slice()];
        while let Some(part) = parts.pop() {
            if stop.is_cancelled() {
                parts.push(part);
                break;
            }
            match self.sink.send(part).await {
                Ok(()) => sent += self.forget(part, refusals).await?,
                Err(SendError::Retriable { reason, retry_after }) => {
                    self.release(&parts).await?;
                    self.keep(part, &reason).await?;
                    refusals.clear();
                    return Ok(Batch::Away(retry_after));
                }
                Err(SendError::Together { reason }) => match part {
                    [alone] => held += self.hold(alone, &reason, held).await?,
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
                Err(SendError::Refused { accepted, reason }) => {
                    let (accepted, rest) = part.split_at(accepted.min(part.len()));
                    sent += self.forget(accepted, refusals).await?;
                    match rest {
                        [alone] if accepted.is_empty() => {
                            let since = refusals.entry(alone.id.clone());
                            if since.or_insert_with(Instant::now).elapsed() < self.patience() {
                                held += self.hold(alone, &reason, held).await?;
                            } else {
                                refusals.remove(&alone.id);
                                self.park(&alone.id, &reason).await?;
                            }
                        }
                        [suspect, others @ ..] => {
                            parts.extend((!others.is_empty()).then_some(others));
                            parts.push(std::slice::from_ref(suspect));
                        }
                        [] => {}
                    }
                }
            }
        }
        self.release(&parts).await?;
        let more_may_wait = events.len() == BATCH as usize && sent > 0;
        Ok(if held == 0 || more_may_wait { Batch::Done } else { Batch::Held })
    }

    /// Inngest has them. Returns how many.
    async fn forget(
        &self,
        events: &[OutgoingEvent],
        refusals: &mut Refusals,
    ) -> anyhow::Result<usize> {
        if !events.is_empty() {
            self.metrics.events_sent(events.len());
            table::delete_accepted(&self.inbox.db, &ids(events)).await?;
            tracing::debug!(events = events.len(), "events sent");
            for event in events {
                refusals.remove(&event.id);
            }
        }
        Ok(events.len())
    }

    /// Inngest is away, or takes nothing from us.
    async fn keep(&self, events: &[OutgoingEvent], reason: &str) -> anyhow::Result<()> {
        self.metrics.send_failed();
        tracing::warn!(events = events.len(), reason, "events not sent, they will be sent again");
        table::record_failure(&self.inbox.db, &ids(events), reason).await
    }

    /// This event is not taken, others may be. Of a batch the log shows the first that is held. Returns 1: one more.
    async fn hold(
        &self,
        event: &OutgoingEvent,
        reason: &str,
        held: usize,
    ) -> anyhow::Result<usize> {
        self.metrics.send_failed();
        if held == 0 {
            tracing::warn!(
                event = event.id,
                reason,
                "an event is not taken, it will be sent again"
            );
        }
        table::record_failure(&self.inbox.db, &[&event.id], reason).await?;
        Ok(1)
    }

    /// They were claimed and not tried.
    async fn release(&self, parts: &[&[OutgoingEvent]]) -> anyhow::Result<()> {
        let ids: Vec<_> = parts.iter().flat_map(|part| ids(part)).collect();
        if ids.is_empty() { Ok(()) } else { table::release(&self.inbox.db, &ids).await }
    }

    /// How long Inngest must refuse an event before it is given up, half a minute. It says the same of an event that is
    /// fine when the request arrives cut short, or when it is stopping.
    fn patience(&self) -> Duration {
        self.pace.longest_retry / 2
    }

    /// Inngest will not take it: kept where a person sees it.
    async fn park(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        self.metrics.event_parked();
        tracing::error!(
            event = id,
            reason,
            "Inngest refuses an event; it is parked: `prometei-flow deals` shows it and what to do"
        );
        table::park(&self.inbox.db, id, reason).await
    }
}

fn event(row: InboxRow) -> serde_json::Result<OutgoingEvent> {
    Ok(OutgoingEvent {
        id: row.id,
        name: AmoCrmWebhook::EVENT_NAME,
        data: RawValue::from_string(row.payload)?,
        ts: row.received_at,
    })
}

fn ids(events: &[OutgoingEvent]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}
