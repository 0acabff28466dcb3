//! What the forwarder needs of an event client.

use std::time::Duration;

use serde_json::value::RawValue;

/// An event on its way to Inngest.
#[derive(Debug, Clone)]
pub struct OutgoingEvent {
    /// The id of its inbox row: Inngest recognises a resend by it.
    pub id: String,
    /// Its name.
    pub name: &'static str,
    /// Its data.
    pub data: Box<RawValue>,
    /// When it happened, in milliseconds since 1970.
    pub ts: i64,
}

/// Where events go.
pub trait EventSink: Send + Sync + 'static {
    /// Sends `events` in one request, in this order.
    ///
    /// `Ok` means that Inngest answered with ids, so that it has them all: they are forgotten here.
    fn send(&self, events: &[OutgoingEvent]) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Why a send did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The events are fine, as far as is known: Inngest cannot be reached, is busy, or does not know our
    /// event key, or something before it has answered. They are kept and sent again.
    #[error("{reason}")]
    Retriable {
        /// What went wrong; goes to the log and the row.
        reason: String,
        /// Not before this time, when the answer said so.
        retry_after: Option<Duration>,
    },
    /// These events are not taken together, which says nothing about any of them: too large a request for what stands
    /// before Inngest, or one that it cannot read. Fewer at once may pass.
    #[error("{reason}")]
    Together {
        /// What went wrong; goes to the log and the row.
        reason: String,
    },
    /// Inngest itself refuses an event.
    #[error("{reason}")]
    Refused {
        /// How many events from the start of the batch were accepted nevertheless. The next one is suspected.
        accepted: usize,
        /// What Inngest said.
        reason: String,
    },
}
