//! The Inngest API, as far as an app uses it: sending events, registering, fetching the state of a run.

mod answer;
mod events;
mod functions;
mod path;
mod seed;
mod signals;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::headers;
use crate::middleware::Middleware;
use crate::signing::SigningKeys;
use crate::transport::{Transport, TransportError};
use crate::{Mode, Settings};

pub(crate) use path::path;
pub(crate) use seed::EventIdSeed;
pub use signals::SignalError;

/// A connection to Inngest. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    middleware: Arc<[Arc<dyn Middleware>]>,
}

type Entropy = Box<dyn Fn(&mut [u8]) + Send + Sync>;

struct Inner {
    settings: Settings,
    transport: Box<dyn Transport>,
    entropy: Entropy,
    clock: crate::Clock,
    /// The fallback key was the one that worked last (P-021).
    fallback_works: AtomicBool,
}

impl Client {
    /// A client that reaches Inngest through `transport`.
    pub fn new(settings: Settings, transport: impl Transport) -> Self {
        Self::with_sources(settings, transport, crate::Clock::default(), |bytes| {
            // Without entropy the seed is constant for the millisecond, and still the same for all tries of
            // one send; nothing else depends on it.
            let _ = getrandom::fill(bytes);
        })
    }

    /// The same with a clock and a source of random bytes of your own.
    pub fn with_sources(
        settings: Settings,
        transport: impl Transport,
        clock: crate::Clock,
        entropy: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                transport: Box::new(transport),
                entropy: Box::new(entropy),
                clock,
                fallback_works: AtomicBool::new(false),
            }),
            middleware: Arc::default(),
        }
    }

    /// The same client with one more middleware, for the calls of every function that is served with it and for the
    /// events that are sent through it.
    #[must_use]
    pub fn with_middleware(self, middleware: impl Middleware) -> Self {
        let added: Arc<dyn Middleware> = Arc::new(middleware);
        let all = self.middleware.iter().cloned().chain([added]).collect();
        Self { middleware: all, ..self }
    }

    pub(crate) fn middleware(&self) -> &[Arc<dyn Middleware>] {
        &self.middleware
    }

    /// The settings of this client.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The clock of this client.
    pub fn clock(&self) -> &crate::Clock {
        &self.inner.clock
    }

    /// A request to the Inngest API. The second signing key is tried when the first is refused, which happens
    /// during a rotation.
    pub(crate) async fn api(
        &self,
        method: Method,
        path_and_query: &str,
        body: Bytes,
        extra: &[(HeaderName, HeaderValue)],
    ) -> Result<http::Response<Bytes>, TransportError> {
        let url = format!("{}{path_and_query}", self.settings().api_origin);
        let tokens = self.tokens();
        let fallback_first = tokens.len() == 2 && self.inner.fallback_works.load(Ordering::Relaxed);
        let order: &[usize] = match tokens.len() {
            0 | 1 => &[0],
            _ if fallback_first => &[1, 0],
            _ => &[0, 1],
        };
        let mut refused = None;
        for &key in order {
            let mut request = self.request(method.clone(), &url, body.clone())?;
            request
                .headers_mut()
                .extend(extra.iter().cloned().map(|(name, value)| (Some(name), value)));
            if let Some(token) = tokens.get(key) {
                request
                    .headers_mut()
                    .insert(header::AUTHORIZATION, secret_header(&format!("Bearer {token}"))?);
            }
            let response = self.inner.transport.send(request).await?;
            if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                self.inner.fallback_works.store(key == 1, Ordering::Relaxed);
                return Ok(response);
            }
            refused = refused.or(Some(response));
        }
        refused.ok_or_else(|| TransportError::new("no request was made"))
    }

    /// Asks the Inngest API, with the signing key, for a run that does not exist. The answer shows whether the API is
    /// there and knows the key: then it is JSON. Changes nothing.
    pub async fn probe_api(&self) -> Result<http::Response<Bytes>, TransportError> {
        let path = path(&["v1", "runs", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], None);
        self.api(Method::GET, &path, Bytes::new(), &[]).await
    }

    /// The API tokens of the primary and the fallback key. The dev server needs none, so a key that makes no
    /// token is passed over.
    fn tokens(&self) -> Vec<String> {
        let keys = self.settings().signing_keys.iter().flat_map(SigningKeys::iter);
        keys.filter_map(|key| key.api_token().ok()).collect()
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<http::Request<Bytes>, TransportError> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, headers::JSON)
            .header(header::USER_AGENT, headers::SDK_VALUE)
            .header(headers::SDK, headers::SDK_VALUE);
        if let Some(env) = &self.settings().env {
            request = request.header(headers::ENV, env);
        }
        request.body(body).map_err(|_| {
            TransportError::new("the request cannot be built: check the origin and INNGEST_ENV")
        })
    }

    /// The event key, or what stands for it in dev mode: the dev server drops events sent without one and says
    /// that all is well (P-018).
    fn event_key(&self) -> Option<&str> {
        let settings = self.settings();
        settings.event_key.as_deref().filter(|key| !key.is_empty()).or(match settings.mode {
            Mode::Dev => Some("NO_EVENT_KEY_SET"),
            Mode::Cloud => None,
        })
    }
}

fn secret_header(value: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        TransportError::new("the signing key has characters that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", self.settings()).finish_non_exhaustive()
    }
}
