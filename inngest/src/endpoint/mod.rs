//! The serve endpoint: one URL through which Inngest learns of the functions and calls them.

mod call;
mod chain;
mod introspect;
mod outcome;
mod reply;
mod request;
mod run_state;
mod serve_url;
mod sync;
mod trust;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::Client;
use crate::function::Served;
use reply::Reply;

/// The largest request body that is read. The server sends at most 4 MiB of memo, plus the events.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Answers Inngest for an [`App`](crate::App). Knows no web server: give it whole requests, send what it returns.
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
}

impl Endpoint {
    pub(crate) fn new(
        app_id: String,
        client: Client,
        app_version: Option<String>,
        framework: Option<&'static str>,
        functions: Vec<Served>,
    ) -> Self {
        Self { inner: Arc::new(Inner { app_id, client, app_version, framework, functions }) }
    }

    /// Answers one request. The path is not looked at: mount the endpoint where it shall live, `/api/inngest`
    /// unless there is a reason.
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let (parts, body) = request.into_parts();
        if body.len() > MAX_BODY_BYTES {
            return self.body_too_large();
        }
        let reply = match parts.method {
            Method::GET => self.introspect(&parts, &body),
            Method::HEAD => self.introspect(&parts, &body).without_body(),
            Method::PUT => self.sync(&parts, &body).await,
            Method::POST => self.call(&parts, &body).await,
            _ => Reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
                .header(http::header::ALLOW, "GET, HEAD, PUT, POST"),
        };
        self.finish(reply)
    }

    /// The answer to a body over [`MAX_BODY_BYTES`], for adapters that stop reading there.
    pub fn body_too_large(&self) -> http::Response<Bytes> {
        let text = format!("the request body is larger than {MAX_BODY_BYTES} bytes");
        self.finish(
            Reply::function_error(StatusCode::PAYLOAD_TOO_LARGE, "Error", &text).no_retry(false),
        )
    }

    /// The answer to a body that could not be read to its end.
    pub fn body_unreadable(&self) -> http::Response<Bytes> {
        self.finish(Reply::message(StatusCode::BAD_REQUEST, "the request body could not be read"))
    }

    fn finish(&self, reply: Reply) -> http::Response<Bytes> {
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
