//! The endpoint in an axum application.

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{OriginalUri, Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::request::Parts;
use tokio::time::timeout;

use crate::Endpoint;
use crate::body::Unread;
use crate::endpoint::{Admission, Answer, Trusted, content_length, streamed};
use crate::limits::body_limit;

impl Endpoint {
    /// A router that answers at `path` and at `path` with a trailing slash, for every method: also a refusal
    /// must carry the headers of the SDK.
    pub fn into_router(self, path: &str) -> Router {
        let path = path.trim_end_matches('/');
        Router::new()
            .route(&format!("{path}/"), any(serve))
            .route(if path.is_empty() { "/{*rest}" } else { path }, any(serve))
            .with_state(self)
    }

    /// Answers one request of axum's. Its body is read when its head shows that it may be Inngest's, up to
    /// [`MAX_BODY_BYTES`](crate::MAX_BODY_BYTES), axum's own limit being lower than what the server sends (P-111). See
    /// also [`room_for_bodies`](crate::App::room_for_bodies).
    pub async fn serve(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        // A router around ours has taken its own part out of the path, and Inngest calls the whole one.
        if let Some(OriginalUri(whole)) = parts.extensions.remove() {
            parts.uri = whole;
        }
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let announced = announced.or_else(|| content_length(&parts));
        let admission = match self.before_body(&parts, announced.unwrap_or(0)) {
            Ok(admission) => admission,
            Err(refusal) => return self.finish(*refusal).map(Body::from),
        };
        // What announces nothing may become as large as any.
        let most = announced.unwrap_or(body_limit(&parts.method));
        let unverified = match admission {
            Admission::Hook(url) => return self.answer_to_hook(&url).await.map(Body::from),
            Admission::Unverified(unverified) => unverified,
        };
        let (body, held) = match self.room_for_bodies().read(body, most).await {
            Ok(read) => read,
            Err(Unread::TooLarge) => return self.body_too_large().map(Body::from),
            Err(Unread::GivenUp) => return self.body_given_up().map(Body::from),
            Err(Unread::Broken) => return self.body_unreadable().map(Body::from),
        };
        let verified = self.verified(&unverified, body);
        drop(held);
        match verified {
            Ok(trusted) => self.answer_in_time(parts, trusted).await,
            Err(refusal) => self.finish(*refusal).map(Body::from),
        }
    }

    /// The answer, or where it is streamed and takes long, its beginning.
    async fn answer_in_time(&self, parts: Parts, trusted: Trusted) -> Response {
        let Some(every) = self.streaming().filter(|_| parts.method == Method::POST) else {
            return self.answer(&parts, &trusted).await.map(Body::from);
        };
        let endpoint = self.clone();
        let mut answer: Answer = Box::pin(async move { endpoint.answer(&parts, &trusted).await });
        // Most calls are short, and answered the ordinary way.
        match timeout(every, &mut answer).await {
            Ok(response) => response.map(Body::from),
            Err(_) => self.begun().map(|()| Body::from_stream(streamed(answer, every))),
        }
    }
}

async fn serve(State(endpoint): State<Endpoint>, request: Request) -> Response {
    endpoint.serve(request).await
}
