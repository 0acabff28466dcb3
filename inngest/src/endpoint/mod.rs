//! The serve endpoint: one URL through which Inngest learns of the functions and calls them.

mod builder;
mod call;
mod hook;
mod introspect;
mod outcome;
mod refusals;
mod register;
mod reply;
mod request;
mod run_state;
mod serve_url;
mod sync;
mod trust;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::function::DynFunction;
use crate::middleware::Middleware;
use crate::{Checkpointing, Client};

pub use builder::{BuildError, EndpointBuilder};
use refusals::Reason;
pub use refusals::Refused;
use reply::Reply;
pub(crate) use request::event as raw_event;
pub(crate) use trust::Admission;

/// The largest request body that is read. The server sends at most 4 MiB of memo, plus the events.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The same for all but calls. A sync holds one URL, a probe nothing.
const MAX_OTHER_BODY_BYTES: usize = 64 * 1024;

/// Answers Inngest. Knows no web server: give it whole requests, send what it returns.
///
/// Nothing here ends a call early: one may take as long as its step does, up to the server's limit of two
/// hours (P-032).
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    app_id: String,
    client: Client,
    app_version: Option<String>,
    framework: Option<&'static str>,
    functions: Vec<Served>,
    refusals: refusals::Refusals,
    hooks: hook::Hooks,
    #[cfg(feature = "axum")]
    room: crate::axum::Room,
}

/// A function under the id that the server knows it by, `<app>-<function>` (P-075).
struct Served {
    id: String,
    checkpointing: Option<Checkpointing>,
    middleware: Vec<Arc<dyn Middleware>>,
    function: Box<dyn DynFunction>,
}

impl Endpoint {
    /// Begins an endpoint for the app `app_id`.
    pub fn builder(app_id: impl Into<String>, client: Client) -> EndpointBuilder {
        EndpointBuilder::new(app_id.into(), client)
    }

    /// Answers one request. The path is not looked at: mount the endpoint where it shall live, `/api/inngest`
    /// unless there is a reason.
    ///
    /// An adapter to a web server asks [`refusal`](Self::refusal) before it reads the body.
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let (parts, body) = request.into_parts();
        match self.before_body(&parts, body.len()) {
            Ok(admission) => self.answer(&parts, &admission, &body, ()).await,
            Err(refusal) => self.finish(refusal),
        }
    }

    /// The answer to a request that is refused whatever its body holds: its method is none of ours, it announces a
    /// body that is too large, or it lacks a signature that is well formed and fresh, unless this is dev mode.
    ///
    /// Adapters call it before they read the body, so that strangers cannot make them hold one. It costs no more than
    /// reading a header.
    pub fn refusal(&self, parts: &Parts) -> Option<http::Response<Bytes>> {
        let announced = content_length(parts).unwrap_or(0);
        self.before_body(parts, announced).err().map(|refusal| self.finish(refusal))
    }

    /// How many requests were refused since the endpoint was built, for your metrics. The log tells of them once a
    /// minute.
    pub fn refused(&self) -> Refused {
        self.inner.refusals.so_far()
    }

    pub(crate) fn before_body<'r>(
        &'r self,
        parts: &'r Parts,
        announced: usize,
    ) -> Result<Admission<'r>, Reply> {
        if !matches!(parts.method, Method::GET | Method::HEAD | Method::PUT | Method::POST) {
            return Err(Reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
                .header(http::header::ALLOW, "GET, HEAD, PUT, POST"));
        }
        if announced > body_limit(&parts.method) {
            return Err(too_large());
        }
        let admission = self.admit(parts).map_err(|distrust| self.refuse(distrust))?;
        self.inner.refusals.log_if_due(self.inner.client.clock().unix_seconds());
        Ok(admission)
    }

    /// Answers a request whose head was admitted. `held_until_verified` is dropped once the body is known to be
    /// Inngest's, or not.
    pub(crate) async fn answer<H>(
        &self,
        parts: &Parts,
        admission: &Admission<'_>,
        body: &Bytes,
        held_until_verified: H,
    ) -> http::Response<Bytes> {
        let unverified = match admission {
            Admission::Hook(url) => return self.finish(self.answer_hook(url).await),
            Admission::Unverified(unverified) => unverified,
        };
        let trusted = self.trust(unverified, body);
        drop(held_until_verified);
        let reply = match (trusted, &parts.method) {
            (Err(distrust), _) => self.refuse(distrust),
            (Ok(trusted), &Method::GET) => self.introspect(&trusted),
            (Ok(trusted), &Method::HEAD) => self.introspect(&trusted).without_body(),
            (Ok(trusted), &Method::PUT) => self.sync(parts, &trusted).await,
            (Ok(trusted), _) => self.call(parts, &trusted).await,
        };
        self.finish(reply)
    }

    /// The answer to a body that is larger than [`MAX_BODY_BYTES`], or than 64 KiB where it belongs to no call: for
    /// adapters that stop reading there.
    pub fn body_too_large(&self) -> http::Response<Bytes> {
        self.finish(too_large())
    }

    /// The answer to a body that could not be read to its end.
    pub fn body_unreadable(&self) -> http::Response<Bytes> {
        self.finish(Reply::message(StatusCode::BAD_REQUEST, "the request body could not be read"))
    }

    /// The answer to a body that the adapter stopped waiting for. It is counted in [`Refused::unread`].
    pub fn body_given_up(&self) -> http::Response<Bytes> {
        self.inner.refusals.count(Reason::Unread, self.inner.client.clock().unix_seconds());
        let text = "the request body did not arrive in time, or there was no room for it";
        self.finish(
            Reply::function_error(StatusCode::SERVICE_UNAVAILABLE, "Error", text).no_retry(false),
        )
    }

    #[cfg(feature = "axum")]
    pub(crate) fn room_for_bodies(&self) -> &crate::axum::Room {
        &self.inner.room
    }

    pub(crate) fn finish(&self, reply: Reply) -> http::Response<Bytes> {
        let env = self.inner.client.settings().env.as_deref();
        reply.into_response(self.inner.framework, env, self.inner.client.clock())
    }

    fn function(&self, id: &str) -> Option<&Served> {
        self.inner.functions.iter().find(|served| served.id == id)
    }
}

/// How many bytes a body may have.
pub(crate) fn body_limit(method: &Method) -> usize {
    if method == Method::POST { MAX_BODY_BYTES } else { MAX_OTHER_BODY_BYTES }
}

fn too_large() -> Reply {
    let text = format!(
        "the request body is too large: a call may have {MAX_BODY_BYTES} bytes, other requests {MAX_OTHER_BODY_BYTES}"
    );
    Reply::function_error(StatusCode::PAYLOAD_TOO_LARGE, "Error", &text).no_retry(false)
}

pub(crate) fn content_length(parts: &Parts) -> Option<usize> {
    parts.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
