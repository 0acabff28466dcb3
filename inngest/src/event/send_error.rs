use std::time::Duration;

use crate::Retry;

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
    /// Inngest itself refuses an event, in its own words. What stands before it cannot cause this.
    ///
    /// Sending the same again rarely helps. But the server says the same when a request arrives cut short, or when it
    /// cannot store an event: one refusal is no proof against the event.
    #[error("Inngest refuses the event at position {} (HTTP {status}): {message}", accepted.len())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What Inngest said.
        message: String,
        /// The ids of the events before the refused one: these were accepted (P-174).
        accepted: Vec<String>,
    },
    /// Not accepted, also after several tries where these could help: Inngest is down, overloaded or unreachable, or
    /// something else has answered in its place. The events are fine, as far as is known.
    #[error("events could not be sent to Inngest: {reason}")]
    Unavailable {
        /// The HTTP status, where there was an answer.
        status: Option<u16>,
        /// What happened, and what to do where that is known. Without secrets.
        reason: String,
        /// How long to wait before the next try, where the answer said so.
        retry_after: Option<Duration>,
    },
    /// [Middleware](crate::middleware) refuses an event. Nothing was sent.
    #[error("{reason}")]
    Withheld {
        /// What it refuses, and why.
        reason: String,
        /// Whether trying again can help.
        retry: Retry,
    },
    /// The data of an event is no JSON object.
    #[error("the data of event `{0}` is no JSON object")]
    DataIsNoObject(String),
}

impl SendError {
    /// Nothing is known of the answer.
    pub(crate) fn unavailable(error: &impl ToString) -> Self {
        Self::Unavailable { status: None, reason: error.to_string(), retry_after: None }
    }

    /// Whether another try within a second or so may go better.
    pub(crate) fn may_pass_in(&self, pause: Duration) -> bool {
        match self {
            Self::Unavailable { retry_after: Some(wait), .. } if *wait > pause => false,
            Self::Unavailable { status, .. } => {
                status.is_none_or(|status| matches!(status, 200..=299 | 408 | 429 | 500..))
            }
            _ => false,
        }
    }
}
