//! Carries leads from the inbox to Inngest, until Inngest has them.

use std::collections::HashMap;
use std::time::Duration;

use inngest::{Client, NewEvent, SendError};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pace::{Backoff, Batch, Pace};
use super::rows::ClaimedRow;
use super::store::Inbox;
use super::table;
use crate::heartbeat::Heartbeat;
use crate::metrics::Metrics;
use crate::registration::Gate;

/// The most events in one request.
const BATCH: u32 = 100;

/// How often what is held is marked while no event may be sent.
const MARK: Duration = Duration::from_secs(1);

/// Sends the rows of the inbox, and removes those that Inngest has accepted.
pub(crate) struct Forwarder {
    /// The inbox.
    pub inbox: Inbox,
    /// Inngest.
    pub inngest: Client,
    /// Counts what was sent.
    pub metrics: Metrics,
    /// When to try.
    pub pace: Pace,
    /// Shut while Inngest does not know the functions: it would accept events and start nothing.
    pub gate: Gate,
}

/// Since when an event is refused at every try, by row. A new process starts with none.
pub(super) type Refusals = HashMap<String, Instant>;

impl Forwarder {
    /// Forwards until `stop`; a request that is under way is finished first.
    pub(crate) async fn run(self, heartbeat: Heartbeat, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.pace);
        let mut refusals = Refusals::new();
        loop {
            self.until_registered(&heartbeat, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            let batch = self.forward_batch(&mut refusals, &stop).await;
            let went_round = batch.is_ok();
            let batch = batch.unwrap_or_else(|error| {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the inbox cannot be read or changed"
                );
                Batch::Away(None)
            });
            let pause = backoff.after(batch);
            if went_round {
                heartbeat.beat(pause.as_ref().map_or(Duration::ZERO, |pause| pause.time));
            }
            if let Some(pause) = pause {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.inbox.wake.notified(), if pause.can_be_woken => {}
                    () = tokio::time::sleep(pause.time) => {}
                }
            }
        }
    }

    /// Waits until Inngest knows the functions. Meanwhile the deals say why they wait.
    async fn until_registered(&self, heartbeat: &Heartbeat, stop: &CancellationToken) {
        let mut gate = self.gate.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = gate.opened() => return,
                () = tokio::time::sleep(MARK) => {}
            }
            let Some(reason) = gate.reason() else { return };
            match self.inbox.note_hold(&reason).await {
                Ok(()) => heartbeat.beat(MARK),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "what is held cannot be marked");
                }
            }
        }
    }

    pub(super) async fn forward_batch(
        &self,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> anyhow::Result<Batch> {
        let events = self.claim().await?;
        if events.is_empty() {
            return Ok(Batch::Empty);
        }
        let (mut sent, mut held) = (0, 0);
        // What is still to be sent, the next part last. An event that is not accepted must not delay the others.
        let mut parts = vec![events.as_slice()];
        while let Some(part) = parts.pop() {
            if stop.is_cancelled() {
                parts.push(part);
                break;
            }
            let Err(error) = self.inngest.send(part).await else {
                sent += self.forget(part, refusals).await?;
                continue;
            };
            let reason = reason(&error);
            match error {
                // Only a refusal of the event itself counts, which is that of the first one not accepted. It is sent
                // alone before it counts.
                SendError::Refused { .. } | SendError::Unsendable { .. } => {
                    let (accepted, rest) = part.split_at(accepted(&error).min(part.len()));
                    sent += self.forget(accepted, refusals).await?;
                    match rest {
                        [alone] if accepted.is_empty() => {
                            held += self.refused(alone, &reason, held, refusals).await?;
                        }
                        [suspect, others @ ..] => {
                            parts.extend((!others.is_empty()).then_some(others));
                            parts.push(std::slice::from_ref(suspect));
                        }
                        [] => {}
                    }
                }
                // These are not accepted together, which says nothing about any of them: the request is too large for a
                // proxy before Inngest, or cannot be read there. Fewer at once may pass.
                SendError::Unavailable { status: Some(400 | 413), .. } => match part {
                    [alone] => held += self.hold(alone, &reason, held).await?,
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                },
                // The events are fine, as far as is known: Inngest is down, or does not know our key.
                _ => {
                    self.release(&parts).await?;
                    self.keep(part, &reason).await?;
                    refusals.clear();
                    return Ok(Batch::Away(asked_to_wait(&error)));
                }
            }
        }
        self.release(&parts).await?;
        let more_may_wait = events.len() == BATCH as usize && sent > 0;
        Ok(if held == 0 || more_may_wait { Batch::Done } else { Batch::Held })
    }

    /// The next events to send.
    async fn claim(&self) -> anyhow::Result<Vec<NewEvent>> {
        let rows = table::claim(&self.inbox.db, BATCH).await?;
        let mut events = Vec::with_capacity(rows.len());
        for ClaimedRow { id, name, payload, received_at } in rows {
            match RawValue::from_string(payload) {
                // Inngest deduplicates by the id.
                Ok(data) => events.push(NewEvent::raw(name, data).with_id(id).at(received_at)),
                Err(error) => {
                    self.give_up(&id, &format!("the stored payload is no JSON: {error}")).await?;
                }
            }
        }
        Ok(events)
    }

    /// Inngest has them. Returns how many.
    async fn forget(&self, events: &[NewEvent], refusals: &mut Refusals) -> anyhow::Result<usize> {
        if !events.is_empty() {
            self.metrics.events_sent(events.len());
            self.gate.sent();
            self.inbox.accepted(&ids(events)).await?;
            tracing::debug!(events = events.len(), "events sent");
            for event in events {
                refusals.remove(id(event));
            }
        }
        Ok(events.len())
    }

    /// Inngest is down, or accepts nothing from us.
    async fn keep(&self, events: &[NewEvent], reason: &str) -> anyhow::Result<()> {
        self.metrics.send_failed();
        tracing::warn!(events = events.len(), reason, "events not sent, they will be sent again");
        table::record_failure(&self.inbox.db, &ids(events), reason).await
    }

    /// This event is not accepted, others may be. Of a batch the log shows the first one. Returns 1: one more held.
    async fn hold(&self, event: &NewEvent, reason: &str, held: usize) -> anyhow::Result<usize> {
        self.metrics.send_failed();
        let event = id(event);
        if held == 0 {
            tracing::warn!(event, reason, "an event is not accepted, it will be sent again");
        }
        table::record_failure(&self.inbox.db, &[event], reason).await?;
        Ok(1)
    }

    /// Inngest refuses this event, which was sent alone: it is held, and given up once that has lasted. Returns how many
    /// more are held.
    async fn refused(
        &self,
        event: &NewEvent,
        reason: &str,
        held: usize,
        refusals: &mut Refusals,
    ) -> anyhow::Result<usize> {
        let since = *refusals.entry(id(event).to_owned()).or_insert_with(Instant::now);
        if since.elapsed() < self.patience() {
            return self.hold(event, reason, held).await;
        }
        refusals.remove(id(event));
        self.give_up(id(event), reason).await?;
        Ok(0)
    }

    /// They were claimed and not tried.
    async fn release(&self, parts: &[&[NewEvent]]) -> anyhow::Result<()> {
        let ids: Vec<_> = parts.iter().flat_map(|part| ids(part)).collect();
        if ids.is_empty() { Ok(()) } else { table::release(&self.inbox.db, &ids).await }
    }

    /// How long Inngest must refuse an event before it is given up: half a minute. It also refuses a good event when the
    /// request arrives cut short, or when it is stopping.
    fn patience(&self) -> Duration {
        self.pace.longest_retry / 2
    }

    /// Inngest will not accept it: its deal says so, where a person sees it.
    async fn give_up(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        self.metrics.event_refused();
        tracing::error!(
            event = id,
            reason,
            "Inngest refuses an event; its deal needs a person: `prometei-flow deals` shows it and what to do"
        );
        self.inbox.refused(id, reason).await
    }
}

/// What goes to the log and the row. The position of a refused event in its request is of no use there.
fn reason(error: &SendError) -> String {
    match error {
        SendError::Refused { status, message, .. } => {
            format!("Inngest refuses the event (HTTP {status}): {message}")
        }
        error => error.to_string(),
    }
}

/// How many events, from the first one, were accepted nevertheless.
fn accepted(error: &SendError) -> usize {
    if let SendError::Refused { accepted, .. } = error { accepted.len() } else { 0 }
}

fn asked_to_wait(error: &SendError) -> Option<Duration> {
    if let SendError::Unavailable { retry_after, .. } = error { *retry_after } else { None }
}

/// The event's row.
fn id(event: &NewEvent) -> &str {
    event.id.as_deref().unwrap_or_default()
}

fn ids(events: &[NewEvent]) -> Vec<&str> {
    events.iter().map(id).collect()
}
