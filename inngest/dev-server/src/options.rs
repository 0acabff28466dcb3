//! How a server is configured.

use std::sync::Arc;
use std::time::Duration;

use inngest::signing::SigningKey;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::server::{DevServer, ServeError};

/// Everything that can be set before the server starts. No `Debug`: it holds the event key.
#[derive(Clone)]
pub struct Builder {
    pub(crate) apps: Vec<Url>,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) event_key: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retry_interval: Option<Duration>,
    pub(crate) poll_interval: Option<Duration>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            apps: Vec::new(),
            signing_key: None,
            event_key: None,
            clock: Arc::new(SystemClock),
            retry_interval: None,
            poll_interval: Some(Duration::from_secs(5)),
        }
    }
}

impl Builder {
    /// Adds an app: the URL of an SDK's serve endpoint, asked to register at once and on every poll (P-064).
    pub fn app(mut self, url: Url) -> Self {
        self.apps.push(url);
        self
    }

    /// Signs every request, demands a bearer token from registrations and the API, and calls itself a `cloud` server,
    /// as a self-hosted one does. Without a key the server is a `dev` one and signs nothing.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.signing_key = Some(key);
        self
    }

    /// Accepts events under this key only. Without it every non-empty key is accepted (P-018).
    pub fn event_key(mut self, key: impl Into<String>) -> Self {
        self.event_key = Some(key.into());
        self
    }

    /// Takes the time from `clock` instead of from the machine. Signatures are stamped with it too: an SDK that checks
    /// them has to share it.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Waits this long before every retry that names no time of its own, instead of 15 s, 30 s, 1 min ... (P-143).
    pub fn retry_interval(mut self, interval: Duration) -> Self {
        self.retry_interval = Some(interval);
        self
    }

    /// How often the apps are asked to register again; 5 s by default (P-066). `None` asks only until each succeeded.
    pub fn poll_interval(mut self, interval: Option<Duration>) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Starts to serve on `listener`, until [`DevServer::shutdown`] or until `shutdown` is cancelled. Must be called
    /// within a tokio runtime.
    pub fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<DevServer, ServeError> {
        DevServer::start(self, listener, shutdown)
    }
}
