//! One request: first its head, then its body, then what it asks for.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use url::Url;

use super::Endpoint;
use super::refusals::Reason;
use super::reply::Reply;
use super::trust::{Admission, Trusted, Unverified};
use crate::limits::{MAX_BODY_BYTES, MAX_OTHER_BODY_BYTES, body_limit};

impl Endpoint {
    /// Answers one request. The path is not looked at: mount the endpoint where you want it, `/api/inngest`
    /// unless there is a reason.
    ///
    /// An adapter to a web server asks [`refusal`](Self::refusal) before it reads the body.
    pub async fn handle(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let (parts, body) = request.into_parts();
        let response = match self.before_body(&parts, body.len()) {
            Ok(Admission::Hook(url)) => self.answer_to_hook(&url).await,
            Ok(Admission::Unverified(unverified)) => match self.verified(&unverified, body) {
                Ok(trusted) => self.answer(&parts, &trusted).await,
                Err(refusal) => self.finish(*refusal),
            },
            Err(refusal) => self.finish(*refusal),
        };
        // A refusal, too: not every server takes the body off.
        if parts.method == Method::HEAD { response.map(|_| Bytes::new()) } else { response }
    }

    /// The answer to a request that is refused whatever its body holds: its method is none of ours, it announces a
    /// body that is too large, or it lacks a signature that is well formed and fresh, unless this is dev mode.
    ///
    /// Adapters call it before they read the body, so that untrusted clients cannot make them hold one. It costs no more than
    /// reading a header.
    pub fn refusal(&self, parts: &Parts) -> Option<http::Response<Bytes>> {
        let announced = content_length(parts).unwrap_or(0);
        self.before_body(parts, announced).err().map(|refusal| self.finish(*refusal))
    }

    pub(crate) fn before_body<'r>(
        &'r self,
        parts: &'r Parts,
        announced: usize,
    ) -> Result<Admission<'r>, Box<Reply>> {
        if !matches!(parts.method, Method::GET | Method::HEAD | Method::PUT | Method::POST) {
            let refusal = Reply::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
            return Err(Box::new(refusal.header(http::header::ALLOW, "GET, HEAD, PUT, POST")));
        }
        if announced > body_limit(&parts.method) {
            return Err(Box::new(too_large()));
        }
        let admission = self.admit(parts).map_err(|distrust| Box::new(self.refuse(distrust)))?;
        self.inner.refusals.log_if_due(self.inner.client.clock().unix_seconds());
        Ok(admission)
    }

    pub(crate) async fn answer_to_hook(&self, url: &Url) -> http::Response<Bytes> {
        self.finish(self.answer_hook(url).await)
    }

    /// The request once its body is known to be Inngest's, else the answer to it.
    pub(crate) fn verified(
        &self,
        unverified: &Unverified<'_>,
        body: Bytes,
    ) -> Result<Trusted, Box<Reply>> {
        self.trust(unverified, body).map_err(|distrust| Box::new(self.refuse(distrust)))
    }

    /// Answers a request that is Inngest's.
    pub(crate) async fn answer(&self, parts: &Parts, trusted: &Trusted) -> http::Response<Bytes> {
        self.finish(match parts.method {
            Method::GET => self.introspect(trusted),
            Method::HEAD => self.introspect(trusted).without_body(),
            Method::PUT => self.sync(parts, trusted).await,
            _ => self.call(parts, trusted).await,
        })
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

    /// The answer to a body that the adapter stopped waiting for. It is counted in
    /// [`Refused::unread`](crate::Refused::unread).
    pub fn body_given_up(&self) -> http::Response<Bytes> {
        self.inner.refusals.count(Reason::Unread, self.inner.client.clock().unix_seconds());
        let text = "the request body did not arrive in time, or there was no room for it";
        self.finish(
            Reply::function_error(StatusCode::SERVICE_UNAVAILABLE, "Error", text).no_retry(false),
        )
    }
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
