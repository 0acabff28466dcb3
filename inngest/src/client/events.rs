//! Sending events.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::answer::judge;
use super::path::path;
use super::{Client, EventIdSeed};
use crate::middleware::{Hooks, PayloadKind};
use crate::transport::TransportError;
use crate::{NewEvent, SendError, headers};

const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Sends events and returns their ids, in order. Nothing is sent for an empty list.
    ///
    /// Network errors, 408, 429 and 5xx are tried again, up to five times within about 1.5 s plus the time of the
    /// requests, and not before the time that the answer asks for; the tries of one send count as one (P-176, P-177).
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
        if let Some(event) = events.iter().find(|event| !event.data.get().starts_with('{')) {
            return Err(SendError::DataIsNoObject(event.name.clone()));
        }
        let body = serde_json::to_vec(events)
            .map(Bytes::from)
            .map_err(|error| SendError::unavailable(&error))?;
        let mut tries_left = TRIES;
        let mut pause = FIRST_PAUSE;
        loop {
            tries_left -= 1;
            match self.try_send(body.clone(), seed, events.len()).await {
                Err(error) if tries_left > 0 && error.may_pass_in(pause) => {}
                sent => return sent,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
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
        let answer = self.inner.transport.send(request).await.map_err(unavailable)?;
        judge(&answer, expected, self.clock().now(), &[key, &path])
    }
}

/// Lets middleware change the data of events. What it refuses is not sent, nor what would go with it.
fn withheld(events: &mut [NewEvent], hooks: Hooks<'_>) -> Option<SendError> {
    events.iter_mut().find_map(|NewEvent { name, data, .. }| {
        let error = hooks.outgoing_value(PayloadKind::Event { name }, data).err()?;
        Some(SendError::Withheld { reason: error.to_string(), retry: error.retry() })
    })
}
