//! HTTP to the outside: the one place that builds a client.
//!
//! Of a call that failed every caller must know: can the other side have acted on it? The types here say so, and keep
//! URLs and secrets out of the texts.

mod inngest;
mod redactor;

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};
use url::Url;

use crate::metrics::Durations;

pub(crate) use inngest::inngest_client;
pub(crate) use redactor::Redactor;
pub(crate) use redactor::plain_text;

/// What this service calls itself: amoCRM's firewall has refused clients without a name.
pub(crate) const USER_AGENT: &str = concat!("prometei-flow/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections end before common servers end them (Apache: 5 s). A request written to a connection that the
/// server is just closing has an unknown outcome, and for an ERP record that costs a person's attention.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// The HTTP client that all adapters share: system trust roots, no redirects, no proxies.
///
/// It is built by the first call: reading the trust roots takes longer than the rest of the start-up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbound {
    client: Arc<OnceLock<reqwest::Client>>,
    /// What those measure their calls by who know what an answer means.
    pub(crate) durations: Durations,
}

impl Outbound {
    /// A client to be built when it is first needed.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The same client, for calls that are measured by `durations`.
    pub(crate) fn measured(&self, durations: Durations) -> Self {
        Self { durations, ..self.clone() }
    }

    /// The client itself. Cheap to clone.
    pub(crate) fn client(&self) -> Result<reqwest::Client, CallError> {
        #[cfg(test)]
        if crate::simulator::current().is_some() {
            return Ok(crate::simulator::http_client());
        }
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            // Those of the environment are ignored: a proxy's own answer would be taken for the host's.
            .no_proxy()
            // A redirect would carry a key or a bearer token to a host that is not configured.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| CallError::NotSent(root_cause(error)))?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// A request to `url`, to be completed and given to [`send`].
    pub(crate) fn request(
        &self,
        method: Method,
        url: Url,
    ) -> Result<reqwest::RequestBuilder, CallError> {
        Ok(self.client()?.request(method, url))
    }
}

/// How long a call may take and how much of its answer is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the start of the call to the end of its body.
    pub timeout: Duration,
    /// The longest body that is read.
    pub body: usize,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Bytes,
    /// Whether that is all of the body. `false` when it was too long or broke off.
    pub complete: bool,
}

/// A call that brought no answer. The texts carry neither URLs nor headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The request never left: there was no such host, no connection, or no TLS on it.
    #[error("no connection: {0}")]
    NotSent(String),
    /// The request left, or part of it: the other side may have acted on it.
    #[error("{0}")]
    OutcomeUnknown(String),
}

/// Sends `request` and reads its answer.
pub(crate) async fn send(
    request: reqwest::RequestBuilder,
    limits: Limits,
) -> Result<Answer, CallError> {
    #[cfg(test)]
    if let Some(world) = crate::simulator::current() {
        return world.answers(request, limits).await;
    }
    let mut response = request
        .timeout(limits.timeout)
        .send()
        .await
        .map_err(|error| CallError::of(error, limits.timeout))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let (body, complete) = read_body(response, limits.body).await;
    Ok(Answer { status, headers, body, complete })
}

/// Reads at most `limit` bytes, and says whether that was all.
pub(crate) async fn read_body(mut response: reqwest::Response, limit: usize) -> (Bytes, bool) {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(None) => return (body.freeze(), true),
            Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk[..limit - body.len()]);
                return (body.freeze(), false);
            }
            Err(_) => return (body.freeze(), false),
        }
    }
}

impl CallError {
    fn of(error: reqwest::Error, timeout: Duration) -> Self {
        // Both come before the first byte of the request: `is_connect` is said of the name, the connection and the TLS
        // handshake only. A kept connection that fails is neither, and the client sends again by itself only what it
        // had not begun to write.
        if error.is_connect() || error.is_builder() {
            Self::NotSent(root_cause(error))
        } else if error.is_timeout() {
            Self::OutcomeUnknown(format!("no answer within {timeout:?}"))
        } else {
            Self::OutcomeUnknown(format!("the connection broke: {}", root_cause(error)))
        }
    }
}

/// The innermost cause ("Connection refused"): the layers above it only repeat that a request failed.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn StdError = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How long the answer asks to wait, in either form of the header.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::retry_after;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let wait = |value: &'static str| {
            retry_after(
                &HeaderMap::from_iter([("retry-after".parse().unwrap(), value.parse().unwrap())]),
                now,
            )
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
