//! The service's side of Inngest: how its requests leave, and how the inbox reaches it.

use std::time::Duration;

use bytes::Bytes;
use inngest::{Client, NewEvent, ReqwestTransport, Transport, TransportError, TransportFuture};

use crate::inbox::{EventSink, OutgoingEvent, SendError};
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
        let mut batch = Vec::with_capacity(events.len());
        for (position, event) in events.iter().enumerate() {
            let data = serde_json::from_str(event.data.get()).map_err(|error| SendError::Refused {
                accepted: position,
                reason: format!("the stored payload is no JSON: {error}"),
            });
            let data = match (data, position) {
                (Ok(data), _) => data,
                // Only a first event may be refused without sending the ones before it.
                (Err(refused), 0) => return Err(refused),
                (Err(_), _) => break,
            };
            batch.push(NewEvent::named(event.name, data).with_id(&event.id).at(event.ts));
        }
        let whole = batch.len() == events.len();
        match self.0.send(&batch).await {
            Ok(_) if whole => Ok(()),
            Ok(sent) => Err(SendError::Refused {
                accepted: sent.len(),
                reason: "the stored payload is no JSON".to_owned(),
            }),
            Err(inngest::SendError::Refused { accepted, message, status }) => {
                let reason = format!("HTTP {status}: {message}");
                Err(SendError::Refused { accepted: accepted.len(), reason })
            }
            // A wrong key is the operator's to mend; the events are fine.
            Err(error) => {
                Err(SendError::Retriable { reason: error.to_string(), retry_after: None })
            }
        }
    }
}
