//! The serve endpoint: one URL through which Inngest learns of the functions and calls them.

mod call;
mod fit;
mod handle;
mod hook;
mod introspect;
mod outcome;
mod outgoing;
mod refusals;
mod register;
mod registration;
mod reply;
mod request;
mod run_state;
mod serve_url;
#[cfg(feature = "axum")]
mod stream;
mod sync;
mod trust;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
#[cfg(feature = "axum")]
use std::time::Duration;

use bytes::Bytes;

use crate::Client;
#[cfg(feature = "axum")]
use crate::body::Room;
use crate::engine::OwnFailures;
use crate::function::Served;
use crate::json::MAX_REPLY;
#[cfg(feature = "axum")]
pub(crate) use handle::content_length;
use hook::Hooks;
use refusals::Refusals;
pub use refusals::Refused;
use reply::Reply;
#[cfg(feature = "axum")]
pub(crate) use stream::{Answer, streamed};
#[cfg(feature = "axum")]
pub(crate) use trust::{Admission, Trusted};

/// Answers Inngest for an [`App`](crate::App). Knows no web server: give it whole requests, send what it returns.
///
/// Nothing here ends a call early: one may take as long as its step does, up to the server's limit of two
/// hours (P-032).
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

/// Room for status and headers of an answer that is streamed, and for two hours of white space before it.
const ENVELOPE: usize = 16 * 1024;

struct Inner {
    app_id: String,
    client: Client,
    app_version: Option<String>,
    framework: Option<&'static str>,
    functions: Vec<Served>,
    refusals: Refusals,
    hooks: Hooks,
    /// How often Inngest has shown that it knows the functions.
    contacts: AtomicU64,
    own_failures: OwnFailures,
    /// The answer to an introspection that is signed.
    inspection: OnceLock<Bytes>,
    #[cfg(feature = "axum")]
    room: Room,
}

/// What an app gives to its endpoint.
pub(crate) struct AppParts {
    pub(crate) app_id: String,
    pub(crate) client: Client,
    pub(crate) app_version: Option<String>,
    pub(crate) framework: Option<&'static str>,
    pub(crate) functions: Vec<Served>,
    #[cfg(feature = "axum")]
    pub(crate) room: Room,
}

impl Endpoint {
    pub(crate) fn new(app: AppParts) -> Self {
        let inner = Inner {
            app_id: app.app_id,
            client: app.client,
            app_version: app.app_version,
            framework: app.framework,
            functions: app.functions,
            refusals: Refusals::default(),
            hooks: Hooks::default(),
            contacts: AtomicU64::default(),
            own_failures: OwnFailures::default(),
            inspection: OnceLock::new(),
            #[cfg(feature = "axum")]
            room: app.room,
        };
        Self { inner: Arc::new(inner) }
    }

    /// How many requests were refused since the endpoint was built, for your metrics. They are logged once a
    /// minute.
    pub fn refused(&self) -> Refused {
        self.inner.refusals.so_far()
    }

    #[cfg(feature = "axum")]
    pub(crate) fn room_for_bodies(&self) -> &Room {
        &self.inner.room
    }

    /// The largest body of an answer. A stream has something around it (P-191).
    fn max_reply(&self) -> usize {
        match self.inner.client.settings().streaming {
            None => MAX_REPLY,
            Some(_) => MAX_REPLY - ENVELOPE,
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn streaming(&self) -> Option<Duration> {
        self.inner.client.settings().streaming
    }

    /// The head of an answer that is streamed (P-117).
    #[cfg(feature = "axum")]
    pub(crate) fn begun(&self) -> http::Response<()> {
        self.finish(Reply::raw(http::StatusCode::CREATED, Bytes::new())).map(drop)
    }

    pub(crate) fn finish(&self, reply: Reply) -> http::Response<Bytes> {
        let env = self.inner.client.settings().env.as_deref();
        reply.into_response(self.inner.framework, env, self.inner.client.clock())
    }

    #[cfg(feature = "testing")]
    pub(crate) fn serves(&self, function_id: &str) -> bool {
        self.function(function_id).is_some()
    }

    fn function(&self, id: &str) -> Option<&Served> {
        self.inner.functions.iter().find(|served| served.id == id)
    }
}
