use std::fmt;
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
        /// The ids of the events that an earlier request of the same send had brought.
        accepted: Vec<String>,
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
    #[error("{} could not be sent to Inngest: {reason}", Those(accepted))]
    Unavailable {
        /// The HTTP status, where there was an answer.
        status: Option<u16>,
        /// What happened, and what to do where that is known. Without secrets.
        reason: String,
        /// How long to wait before the next try, where the answer said so.
        retry_after: Option<Duration>,
        /// The ids of the first events, as far as these are known to be accepted. Of the next ones some may be too.
        accepted: Vec<String>,
    },
    /// [Middleware](crate::middleware) refuses an event. Nothing was sent.
    #[error("{reason}")]
    Withheld {
        /// What it refuses, and why.
        reason: String,
        /// Whether trying again can help.
        retry: Retry,
    },
    /// An event that Inngest could not take, or no function read: its data is no JSON object, it has more than 3 MiB, nests
    /// deeper than 120 levels, or has an integer beyond 2<sup>53</sup>. Nothing was sent.
    #[error("the event `{event}` at position {position} cannot be sent: {reason}")]
    Unsendable {
        /// Where it stands among the events.
        position: usize,
        /// Its name.
        event: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The events that an error is about, after those that were accepted.
struct Those<'a>(&'a [String]);

impl fmt::Display for Those<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0 => f.write_str("events"),
            accepted => write!(f, "the first {accepted} events were accepted; the next ones"),
        }
    }
}

impl SendError {
    /// Nothing is known of the answer.
    pub(crate) fn unavailable(error: &impl ToString) -> Self {
        let (reason, accepted) = (error.to_string(), Vec::new());
        Self::Unavailable { status: None, reason, retry_after: None, accepted }
    }

    /// The ids of the events that are known to be accepted: always the first ones, in order. The others may be sent again.
    pub fn accepted(&self) -> &[String] {
        match self {
            Self::Unauthorized { accepted, .. }
            | Self::Refused { accepted, .. }
            | Self::Unavailable { accepted, .. } => accepted,
            Self::NoEventKey | Self::Withheld { .. } | Self::Unsendable { .. } => &[],
        }
    }

    /// The same error, after requests that brought these.
    pub(crate) fn after(mut self, mut earlier: Vec<String>) -> Self {
        if let Self::Unauthorized { accepted, .. }
        | Self::Refused { accepted, .. }
        | Self::Unavailable { accepted, .. } = &mut self
        {
            earlier.append(accepted);
            *accepted = earlier;
        }
        self
    }

    /// How long to wait before the next try, at least `pause`. `None` where another try cannot help.
    pub(crate) fn pause_before_next(&self, pause: Duration) -> Option<Duration> {
        let Self::Unavailable { status, retry_after, .. } = self else { return None };
        let passes = status.is_none_or(|status| matches!(status, 200..=299 | 408 | 429 | 500..));
        passes.then(|| retry_after.unwrap_or_default().max(pause))
    }
}
