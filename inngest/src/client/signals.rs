//! Waking a run that waits for a signal (P-180).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::path::path;
use super::{Client, retry_after};
use crate::middleware::{Hooks, PayloadKind};
use crate::{Retry, json};

/// A signal was not accepted, or it is unknown whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// Inngest refuses the signal, or this app. Sending the same again cannot help.
    #[error("Inngest refuses the signal (HTTP {status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What Inngest said.
        message: String,
    },
    /// [Middleware](crate::middleware) refuses the signal. Nothing was sent.
    #[error("{reason}")]
    Withheld {
        /// What it refuses, and why.
        reason: String,
        /// Whether trying again can help.
        retry: Retry,
    },
    /// No usable answer: Inngest is down, or overloaded, or unreachable, or refuses the signing key, which may
    /// pass during a rotation.
    #[error("the signal could not be sent to Inngest: {reason}")]
    Unavailable {
        /// What happened. Without secrets.
        reason: String,
        /// How long to wait before the next try, where the answer said so.
        retry_after: Option<Duration>,
    },
    /// What it carries cannot be sent, or not be read back. Nothing was sent.
    #[error("the data of signal `{signal}` cannot be sent: {reason}")]
    Unsendable {
        /// The signal.
        signal: String,
        /// What is wrong with its data.
        reason: String,
    },
}

#[derive(Serialize)]
struct Sent<'a> {
    data: &'a RawValue,
    signal: &'a str,
}

#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    data: Option<Woken>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    status: u16,
}

#[derive(Deserialize)]
struct Woken {
    run_id: String,
}

impl Client {
    /// Sends `signal` with `data` to the run that waits for it, and returns the run's id; `None` when no run
    /// waits. Nothing is kept for a run that waits later.
    pub async fn send_signal(
        &self,
        signal: &str,
        data: &Value,
    ) -> Result<Option<String>, SignalError> {
        self.send_signal_through(self.hooks(), signal, data.clone()).await
    }

    pub(crate) async fn send_signal_through(
        &self,
        hooks: Hooks<'_>,
        signal: &str,
        mut data: Value,
    ) -> Result<Option<String>, SignalError> {
        hooks.outgoing_value(PayloadKind::Signal { name: signal }, &mut data).map_err(|error| {
            SignalError::Withheld { reason: error.to_string(), retry: error.retry() }
        })?;
        let data = json::payload_json(&data).map_err(|reason| SignalError::Unsendable {
            signal: signal.to_owned(),
            reason: reason.to_string(),
        })?;
        let unavailable = |reason, retry_after| SignalError::Unavailable { reason, retry_after };
        let body = serde_json::to_vec(&Sent { signal, data: &data })
            .map_err(|error| unavailable(error.to_string(), None))?;
        let response = self
            .api(Method::POST, &path(&["v1", "signals"], None), Bytes::from(body), &[])
            .await
            .map_err(|error| unavailable(error.to_string(), None))?;
        let wait = retry_after(response.headers(), self.clock().now());
        let body: Body = serde_json::from_slice(response.body()).unwrap_or_default();
        let status = response.status();
        // What stands before Inngest knows nothing of signals.
        let own = body.status == status.as_u16() && !body.error.is_empty();
        let message = Some(body.error).filter(|text| !text.is_empty());
        let message = message.unwrap_or_else(|| "no reason given".to_owned());
        match (status, body.data) {
            (StatusCode::NOT_FOUND, _) if own => Ok(None),
            (status, Some(woken)) if status.is_success() => Ok(Some(woken.run_id)),
            (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE, _) if own => {
                Err(SignalError::Refused { status: status.as_u16(), message })
            }
            (status, _) => Err(unavailable(format!("HTTP {status}: {message}"), wait)),
        }
    }
}
