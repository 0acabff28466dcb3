//! The service's side of Inngest: how its requests leave, and how the inbox reaches it.

use std::time::Duration;

use bytes::Bytes;
use inngest::{Client, NewEvent, ReqwestTransport, Transport, TransportError, TransportFuture};

use super::sink::{EventSink, OutgoingEvent, SendError};
use crate::outbound::Outbound;

/// How long Inngest may take to answer one request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Requests to Inngest, over the HTTP client that everything shares.
#[derive(Debug, Clone)]
pub struct InngestTransport(Outbound);

impl InngestTransport {
    /// Sends over this client.
    pub fn new(outbound: Outbound) -> Self {
        Self(outbound)
    }
}

impl Transport for InngestTransport {
    fn send(&self, request: http::Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(async move {
            let client = self.0.client().map_err(|error| TransportError::new(error.to_string()))?;
            let transport = ReqwestTransport::new(client);
            match tokio::time::timeout(TIMEOUT, transport.send(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(TransportError::new("no answer within 30 s")),
            }
        })
    }
}

/// The event intake of Inngest, as the forwarder sees it.
#[derive(Debug, Clone)]
pub struct InngestEvents(Client);

impl InngestEvents {
    /// Sends with this client.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl EventSink for InngestEvents {
    async fn send(&self, events: &[OutgoingEvent]) -> Result<(), SendError> {
        let batch = events.iter().map(|event| {
            let data = serde_json::from_str(event.data.get())?;
            Ok(NewEvent::named(event.name, data).with_id(&event.id).at(event.ts))
        });
        // The forwarder then sends one by one, and finds the event that it is.
        let batch: Vec<_> = batch.collect::<serde_json::Result<_>>().map_err(|error| {
            let reason = format!("the stored payload cannot be read: {error}");
            SendError::Refused { accepted: 0, reason }
        })?;
        self.0.send(&batch).await.map(drop).map_err(understood)
    }
}

/// Whose fault it is. Only what Inngest itself says of an event is held against the event.
fn understood(error: inngest::SendError) -> SendError {
    let reason = error.to_string();
    match error {
        inngest::SendError::Refused { status, message, accepted } => SendError::Refused {
            accepted: accepted.len(),
            reason: format!("Inngest refuses the event (HTTP {status}): {message}"),
        },
        inngest::SendError::Unsendable { .. } => SendError::Refused { accepted: 0, reason },
        inngest::SendError::Unavailable { status: Some(400 | 413), .. } => {
            SendError::Together { reason }
        }
        inngest::SendError::Unavailable { retry_after, .. } => {
            SendError::Retriable { reason, retry_after }
        }
        // A wrong key is the operator's to mend; the events are fine.
        _ => SendError::Retriable { reason, retry_after: None },
    }
}
