//! What Inngest's API says to an app that registers itself, or asks whether it is registered.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::TransportError;

/// The server waits 10 s for the answer to its `PUT`; the registration has to fit in (P-064).
pub(crate) const REGISTER_LIMIT: Duration = Duration::from_secs(8);

/// Why an app could not be registered, or why it is unknown whether it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// No answer came.
    #[error("the Inngest API cannot be reached: {0}")]
    Unreachable(#[from] TransportError),
    /// No answer came in time.
    #[error("the Inngest API did not answer within 8 s")]
    Silent,
    /// Something else answered.
    #[error(
        "HTTP {status} without JSON, which is not how Inngest answers; check INNGEST_BASE_URL and INNGEST_API_BASE_URL"
    )]
    NotInngest {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The registration was refused: the signing key is wrong, or a function is.
    #[error("Inngest refused the registration (HTTP {status}): {reason}{}", asked(*retry_after))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// In Inngest's words.
        reason: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Inngest does not say which functions it knows: the signing key is wrong, or it cannot be asked that.
    #[error(
        "Inngest does not say which functions it knows (HTTP {status}): {reason}{}",
        asked(*retry_after)
    )]
    NotTold {
        /// The HTTP status.
        status: StatusCode,
        /// In Inngest's words.
        reason: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
}

fn asked(pause: Option<Duration>) -> String {
    let text = |pause: Duration| format!("; it asks for a pause of {} s", pause.as_secs());
    pause.map(text).unwrap_or_default()
}

impl RegistrationError {
    /// Whether Inngest cannot be reached now, which says nothing about the registration.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Silent => true,
            Self::Refused { status, .. } | Self::NotTold { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::NotInngest { .. } => false,
        }
    }

    /// How long Inngest asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::NotTold { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Errors come as JSON in two shapes, as text, or as a proxy's page (P-070).
pub(crate) fn reason(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let text = json
        .and_then(|json| Some(json.get("error").or(json.get("message"))?.as_str()?.to_owned()))
        .unwrap_or_else(|| String::from_utf8_lossy(body).trim().chars().take(200).collect());
    if text.is_empty() { "no reason given".to_owned() } else { text }
}
