//! The Inngest API, as far as an app uses it: sending events, registering, fetching the state of a run.

mod answer;
mod batches;
mod events;
mod functions;
mod path;
mod pause;
mod registration_error;
mod request;
mod seed;
mod signals;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::middleware::{Chain, Hooks, Middleware};
use crate::transport::Transport;
use crate::{Mode, Settings};

pub(crate) use path::path;
use pause::Pause;
pub(crate) use pause::retry_after;
pub use registration_error::RegistrationError;
pub(crate) use registration_error::{REGISTER_LIMIT, reason};
pub(crate) use seed::EventIdSeed;
pub use signals::SignalError;

/// A connection to Inngest. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    middleware: Arc<[Arc<dyn Middleware>]>,
    deadline: Duration,
}

/// How long Inngest may take to answer a request, unless [`Client::with_deadline`] says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);

type Entropy = Box<dyn Fn(&mut [u8]) + Send + Sync>;

struct Inner {
    settings: Settings,
    transport: Box<dyn Transport>,
    entropy: Entropy,
    clock: crate::Clock,
    /// The fallback key was the one that worked last (P-021).
    fallback_works: AtomicBool,
    /// No step is saved within a call before its end.
    checkpoints: Pause,
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
                checkpoints: Pause::default(),
            }),
            middleware: Arc::default(),
            deadline: DEADLINE,
        }
    }

    /// The same client with another deadline for each request, 30 seconds where nothing is said. What the transport does
    /// longer is given up, as if no answer had come.
    ///
    /// Some requests have less time, whatever is said here: a registration 8 seconds, the saving of a step within a call 10.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
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

    /// The hooks for what is sent outside a call.
    fn hooks(&self) -> Hooks<'_> {
        Hooks { chain: Chain { client: &self.middleware, function: &[] }, call: None }
    }

    /// The settings of this client.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The clock of this client.
    pub fn clock(&self) -> &crate::Clock {
        &self.inner.clock
    }

    /// The event key, or what stands for it in dev mode: the dev server drops events sent without one and says
    /// that all is well (P-018).
    fn event_key(&self) -> Option<&str> {
        let settings = self.settings();
        let key = settings.event_key.as_deref().map(str::trim);
        key.filter(|key| !key.is_empty()).or(match settings.mode {
            Mode::Dev => Some("NO_EVENT_KEY_SET"),
            Mode::Cloud => None,
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", self.settings()).finish_non_exhaustive()
    }
}
