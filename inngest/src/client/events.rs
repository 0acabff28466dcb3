//! Sending events.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Client, EventIdSeed};
use crate::transport::TransportError;
use crate::{NewEvent, headers};

/// Events were not accepted, or not all of them, or it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Cloud mode without an event key.
    #[error("no event key: set INNGEST_EVENT_KEY to a key of this Inngest environment")]
    NoEventKey,
    /// Inngest refuses the key.
    #[error("Inngest refuses the event key (HTTP {status}): {message}; check INNGEST_EVENT_KEY")]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// What Inngest said.
        message: String,
    },
    /// Inngest refuses an event. Sending the same again cannot help.
    #[error("Inngest refuses the event at position {} (HTTP {status}): {message}", accepted.len())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What Inngest said.
        message: String,
        /// The ids of the events before the refused one: these were accepted (P-174).
        accepted: Vec<String>,
    },
    /// No usable answer, also after several tries: Inngest is down, or overloaded, or unreachable.
    #[error("events could not be sent to Inngest: {0}")]
    Unavailable(String),
    /// The data of an event is no JSON object.
    #[error("the data of event `{0}` is no JSON object")]
    DataIsNoObject(String),
}

#[derive(Deserialize, Default)]
struct Reply {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Sends events and returns their ids, in order. Nothing is sent for an empty list.
    ///
    /// Network errors, 429 and 5xx are tried again, up to five times within about 1.5 s plus the time of the
    /// requests; the tries of one send count as one (P-176, P-177).
    pub async fn send(&self, events: &[NewEvent]) -> Result<Vec<String>, SendError> {
        let mut entropy = [0; 10];
        (self.inner.entropy)(&mut entropy);
        self.send_seeded(events, &EventIdSeed::new(self.clock().unix_milliseconds(), entropy)).await
    }

    pub(crate) async fn send_seeded(
        &self,
        events: &[NewEvent],
        seed: &EventIdSeed,
    ) -> Result<Vec<String>, SendError> {
        if self.middleware().is_empty() {
            return self.send_as_is(events, seed).await;
        }
        let mut events = events.to_vec();
        self.middleware().iter().for_each(|middleware| middleware.before_send(&mut events));
        let sent = self.send_as_is(&events, seed).await;
        self.middleware().iter().for_each(|middleware| middleware.after_send(&sent));
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
        if let Some(event) = events.iter().find(|event| !event.data.is_object()) {
            return Err(SendError::DataIsNoObject(event.name.clone()));
        }
        let key = self.event_key().ok_or(SendError::NoEventKey)?;
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let url = format!("{}/e/{key}", self.settings().event_origin);
        let body = serde_json::to_vec(events)
            .map(Bytes::from)
            .map_err(|error| SendError::Unavailable(error.to_string()))?;
        let mut tries_left = TRIES;
        let mut pause = FIRST_PAUSE;
        loop {
            tries_left -= 1;
            let sent = self.try_send(&url, body.clone(), seed, events.len()).await;
            match sent {
                Err(SendError::Unavailable(_)) if tries_left > 0 => {}
                sent => return sent,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn try_send(
        &self,
        url: &str,
        body: Bytes,
        seed: &EventIdSeed,
        expected: usize,
    ) -> Result<Vec<String>, SendError> {
        let unavailable = |error: TransportError| SendError::Unavailable(error.to_string());
        let mut request = self.request(Method::POST, url, body).map_err(unavailable)?;
        if let Ok(seed) = seed.header_value().parse() {
            request.headers_mut().insert(headers::EVENT_ID_SEED, seed);
        }
        let response = self.inner.transport.send(request).await.map_err(unavailable)?;
        let status = response.status();
        let reply: Reply = serde_json::from_slice(response.body()).unwrap_or_default();
        let said = [reply.error, reply.message].into_iter().find(|text| !text.is_empty());
        let message = said.unwrap_or_else(|| "no reason given".to_owned());
        match status {
            // A reply without ids means that nothing was stored, whatever its status says (P-018).
            status if status.is_success() && reply.ids.len() == expected => Ok(reply.ids),
            status if status.is_success() => Err(SendError::Unavailable(format!(
                "HTTP {status} with {} ids for {expected} events",
                reply.ids.len()
            ))),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(SendError::Unauthorized { status: status.as_u16(), message })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(SendError::Unavailable(format!("HTTP {status}: {message}")))
            }
            status if status.is_client_error() => {
                Err(SendError::Refused { status: status.as_u16(), message, accepted: reply.ids })
            }
            status => Err(SendError::Unavailable(format!("HTTP {status}: {message}"))),
        }
    }
}
