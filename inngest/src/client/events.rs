//! Sending events.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::answer::judge;
use super::batches::{Batch, batches};
use super::path::path;
use super::{Client, EventIdSeed};
use crate::middleware::{Hooks, PayloadKind};
use crate::transport::TransportError;
use crate::{NewEvent, SendError, headers};

const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No try of a request begins later than this after its first one.
const LAST_TRY: Duration = Duration::from_secs(30);

impl Client {
    /// Sends events and returns their ids, in order. Nothing is sent for an empty list.
    ///
    /// All are checked before the first is sent. More than 5,000, or than 4 MiB, go in several requests, one after the other:
    /// an error says which [were accepted](SendError::accepted).
    ///
    /// Network errors, 408, 429 and 5xx are tried again, up to five times, with pauses of 1.5 s in all or as long as the
    /// answer asks for; the tries of one send count as one (P-176, P-177). The last try of a request begins within 30
    /// seconds of the first, so a request has succeeded or failed within a minute, or within 30 seconds and another
    /// [deadline](Client::with_deadline).
    pub async fn send(&self, events: &[NewEvent]) -> Result<Vec<String>, SendError> {
        let mut entropy = [0; 10];
        (self.inner.entropy)(&mut entropy);
        let seed = EventIdSeed::new(self.clock().unix_milliseconds(), entropy);
        self.send_seeded(events, &seed, self.hooks()).await
    }

    pub(crate) async fn send_seeded(
        &self,
        events: &[NewEvent],
        seed: &EventIdSeed,
        hooks: Hooks<'_>,
    ) -> Result<Vec<String>, SendError> {
        if hooks.is_empty() {
            return self.send_as_is(events, seed).await;
        }
        let mut events = events.to_vec();
        hooks.before_send(&mut events);
        let sent = match withheld(&mut events, hooks) {
            None => self.send_as_is(&events, seed).await,
            Some(refusal) => Err(refusal),
        };
        hooks.after_send(&sent);
        sent
    }

    async fn send_as_is(
        &self,
        events: &[NewEvent],
        seed: &EventIdSeed,
    ) -> Result<Vec<String>, SendError> {
        // The server answers an empty list with one empty id (P-175).
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = Vec::with_capacity(events.len());
        for batch in batches(events)? {
            match self.send_batch(&batch, &seed.after(ids.len())).await {
                Ok(more) => ids.extend(more),
                Err(error) => return Err(error.after(ids)),
            }
        }
        Ok(ids)
    }

    async fn send_batch(
        &self,
        batch: &Batch,
        seed: &EventIdSeed,
    ) -> Result<Vec<String>, SendError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let sent = self.try_send(batch.body.clone(), seed, batch.events).await;
            let wait = sent.as_ref().err().and_then(|error| error.pause_before_next(pause));
            match wait.filter(|wait| started.elapsed().saturating_add(*wait) <= LAST_TRY) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return sent,
            }
            pause *= 2;
        }
        self.try_send(batch.body.clone(), seed, batch.events).await
    }

    /// Asks the event intake once whether it takes events from this client, by the very request that sends them, with
    /// no event in it. Changes nothing.
    pub async fn check_event_key(&self) -> Result<(), SendError> {
        let seed = EventIdSeed::new(self.clock().unix_milliseconds(), [0; 10]);
        match self.try_send(Bytes::from_static(b"[]"), &seed, 0).await {
            // The key is looked at before the events are.
            Ok(_) | Err(SendError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn try_send(
        &self,
        body: Bytes,
        seed: &EventIdSeed,
        expected: usize,
    ) -> Result<Vec<String>, SendError> {
        let unavailable = |error: TransportError| SendError::unavailable(&error);
        let key = self.event_key().ok_or(SendError::NoEventKey)?;
        let path = path(&["e", key], None);
        let url = format!("{}{path}", self.settings().event_origin);
        let mut request = self.request(Method::POST, &url, body).map_err(unavailable)?;
        if let Ok(seed) = seed.header_value().parse() {
            request.headers_mut().insert(headers::EVENT_ID_SEED, seed);
        }
        let answer = self.exchange(request).await.map_err(unavailable)?;
        judge(&answer, expected, self.clock().now(), &[key, &path])
    }
}

/// Lets middleware change the data of events. What it refuses is not sent, nor what would go with it.
fn withheld(events: &mut [NewEvent], hooks: Hooks<'_>) -> Option<SendError> {
    events.iter_mut().find_map(|NewEvent { name, data, .. }| {
        match hooks.outgoing(PayloadKind::Event { name }, data) {
            Ok(changed) => {
                *data = changed.unwrap_or_else(|| std::mem::take(data));
                None
            }
            Err(error) => {
                Some(SendError::Withheld { reason: error.to_string(), retry: error.retry() })
            }
        }
    })
}
