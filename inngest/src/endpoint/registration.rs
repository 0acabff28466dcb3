//! An app that registers itself, and asks whether it still is. A server that asks for it is answered by `sync`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::Endpoint;
use super::register::Registration;
use super::serve_url;
use crate::TransportError;

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

impl Endpoint {
    /// Where Inngest finds this endpoint, as far as the settings say it: `INNGEST_SERVE_ORIGIN`, with `INNGEST_SERVE_PATH`
    /// or `/api/inngest`.
    pub fn serve_url(&self) -> Option<Url> {
        serve_url::of_settings(self.inner.client.settings(), serve_url::DEFAULT_PATH)
    }

    /// Registers the functions with Inngest, to be called at `url`. It replaces the registration of the same app at
    /// another URL; repeated, it changes nothing. Returns whether it did. It takes 8 seconds at most.
    pub async fn register_at(&self, url: Url) -> Result<bool, RegistrationError> {
        let registration = Registration { url, deploy_id: None, server_kind: None };
        self.announce(&registration).await
    }

    /// The ids of the functions of this endpoint, in the order of their registration.
    pub fn function_ids(&self) -> impl Iterator<Item = &str> {
        self.inner.functions.iter().map(|served| served.id.as_str())
    }

    /// The functions of this endpoint that Inngest does not know. Events that would start them are accepted, and start
    /// nothing. It takes 8 seconds at most.
    pub async fn unknown_functions(&self) -> Result<Vec<&str>, RegistrationError> {
        let known = self.inner.client.registered_functions(&self.inner.app_id).await?;
        Ok(self.function_ids().filter(|id| !known.iter().any(|known| known == id)).collect())
    }

    /// How often Inngest has shown that it knows the functions since the endpoint was built: it called one, or took the
    /// registration.
    pub fn contacts(&self) -> u64 {
        self.inner.contacts.load(Ordering::Relaxed)
    }
}
