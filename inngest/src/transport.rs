//! How the SDK's own requests leave the process.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// Sends HTTP requests to Inngest. Bring your own, or use [`ReqwestTransport`](crate::ReqwestTransport).
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and reads the whole response, following no redirect: requests carry keys.
    fn send(&self, request: http::Request<Bytes>) -> TransportFuture<'_>;
}

/// The answer to a request, some time later.
pub type TransportFuture<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, TransportError>> + Send + 'a>>;

/// No response came. The text must not hold the URL, which may contain the event key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(String);

impl TransportError {
    /// Takes a text without secrets.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

#[cfg(feature = "reqwest")]
mod with_reqwest {
    use std::error::Error as _;
    use std::time::Duration;

    use super::{Transport, TransportError, TransportFuture};

    const CONNECT: Duration = Duration::from_secs(5);
    const ANSWER: Duration = Duration::from_secs(30);

    /// [`Transport`] over a [`reqwest::Client`], which decides about timeouts, proxies and trust roots. It
    /// should follow no redirects.
    #[derive(Debug, Clone)]
    pub struct ReqwestTransport(reqwest::Client);

    impl ReqwestTransport {
        /// Uses this client.
        pub fn new(client: reqwest::Client) -> Self {
            Self(client)
        }

        /// A client that follows no redirect and waits for nothing longer than 30 seconds.
        pub fn with_deadlines() -> Result<Self, TransportError> {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .timeout(ANSWER)
                .build()
                .map(Self)
                .map_err(without_url)
        }
    }

    impl Transport for ReqwestTransport {
        fn send(&self, request: http::Request<bytes::Bytes>) -> TransportFuture<'_> {
            Box::pin(async move {
                let request = reqwest::Request::try_from(request).map_err(without_url)?;
                let response = self.0.execute(request).await.map_err(without_url)?;
                let (status, headers) = (response.status(), response.headers().clone());
                let mut answer = http::Response::new(response.bytes().await.map_err(without_url)?);
                *answer.status_mut() = status;
                *answer.headers_mut() = headers;
                Ok(answer)
            })
        }
    }

    fn without_url(error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        TransportError::new(message)
    }
}

#[cfg(feature = "reqwest")]
pub use with_reqwest::ReqwestTransport;
