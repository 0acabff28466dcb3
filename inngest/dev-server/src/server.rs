//! The server as its owner configures, starts and stops it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use inngest::signing::SigningKey;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::core::Core;
use crate::http_client::HttpClient;
use crate::ids::Env;
use crate::observe::Observation;
use crate::state::State;
use crate::sync::{self, SyncError};
use crate::{api, executor};

/// Observations that a slow subscriber may lag behind before it misses some.
const OBSERVATIONS_KEPT: usize = 8192;

/// A server that is running. It stops on [`DevServer::shutdown`] or when its token is cancelled; dropping the handle
/// does not stop it.
#[derive(Clone)]
pub struct DevServer {
    core: Arc<Core>,
    apps: Arc<[Url]>,
    url: Url,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener has no address, or none that makes a URL.
    #[error("the listener has no usable address")]
    Address(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    HttpClient(#[from] reqwest::Error),
}

/// Everything that can be set before the server starts. No `Debug`: it holds the event key.
#[derive(Clone)]
pub struct Builder {
    apps: Vec<Url>,
    signing_key: Option<SigningKey>,
    event_keys: Vec<String>,
    clock: Arc<dyn Clock>,
    retry_interval: Option<Duration>,
    poll_interval: Option<Duration>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            apps: Vec::new(),
            signing_key: None,
            event_keys: Vec::new(),
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

    /// Accepts events under this key, and under others given in the same way. Without any, every non-empty key is accepted
    /// (P-018).
    pub fn event_key(mut self, key: impl Into<String>) -> Self {
        self.event_keys.push(key.into());
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
        let address = listener.local_addr().map_err(|error| ServeError::Address(error.into()))?;
        let url = Url::parse(&format!("http://{address}"))
            .map_err(|error| ServeError::Address(error.into()))?;
        let core = Arc::new(Core {
            env: Env::new(self.clock),
            signing_key: self.signing_key,
            event_keys: self.event_keys,
            retry_interval: self.retry_interval,
            http: HttpClient::new()?,
            observations: broadcast::Sender::new(OBSERVATIONS_KEPT),
            queue_changed: Notify::new(),
            tasks: TaskTracker::new(),
            shutdown,
            state: Mutex::new(State::default()),
        });
        let stopped = core.shutdown.clone().cancelled_owned();
        let app = api::router(Arc::clone(&core));
        core.tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "the dev server's listener failed");
            }
        });
        core.tasks.spawn(executor::run(Arc::clone(&core)));
        for app in &self.apps {
            core.tasks.spawn(sync::poll(Arc::clone(&core), app.clone(), self.poll_interval));
        }
        Ok(DevServer { core, apps: self.apps.into(), url })
    }
}

impl DevServer {
    /// The options of a new server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where the server listens: the origin for events and for the API.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Everything that happens from now on. A receiver that falls thousands behind misses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Observation> {
        self.core.observations.subscribe()
    }

    /// The ids of the functions that are registered.
    pub fn functions(&self) -> Vec<String> {
        self.core.state().registry.functions().map(|function| function.id.clone()).collect()
    }

    /// Asks every app to register now, and returns once each has. The error says which app refused, and why.
    pub async fn sync_now(&self) -> Result<(), SyncError> {
        for app in self.apps.iter() {
            sync::ping(&self.core, app).await?;
        }
        Ok(())
    }

    /// Stops taking requests, drops what is queued and in flight, and returns when nothing runs any more.
    pub async fn shutdown(&self) {
        self.core.shutdown.cancel();
        self.core.tasks.close();
        self.core.tasks.wait().await;
    }
}
