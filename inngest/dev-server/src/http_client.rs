//! The HTTP client that calls SDKs.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use url::Url;

/// Largest reply that is read (server 1.43).
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;
/// The time limits of a call (P-032) and of a sync (P-064).
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);
pub(crate) const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct HttpClient(reqwest::Client);

pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
}

/// A complete reply.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no [`Answer`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("Unable to reach SDK URL: {0}")]
    Unreachable(String),
    #[error("Your function's response body exceeds the maximum size limit of 8 MiB")]
    TooLarge,
}

impl HttpClient {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent("Inngest")
            // The server is for this machine: no proxy, and a fresh connection for every call (P-028).
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self(client))
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Answer, NoAnswer> {
        let unreachable = |error: reqwest::Error| NoAnswer::Unreachable(explain(error));
        let mut response = self
            .0
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .timeout(request.timeout)
            .send()
            .await
            .map_err(unreachable)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }
}

/// The error with its causes: reqwest's own text does not say "connection refused".
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
