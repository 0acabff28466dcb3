//! The inbox's way to Inngest.

use inngest::{Client, NewEvent};

use super::sink::{EventSink, OutgoingEvent, SendError};

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
        inngest::SendError::DataIsNoObject(_) => SendError::Refused { accepted: 0, reason },
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
