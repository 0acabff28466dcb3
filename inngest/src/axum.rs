//! The endpoint in an axum application.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;

use crate::Endpoint;
use crate::endpoint::MAX_BODY_BYTES;

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

    /// Answers one request of axum's: reads its body up to [`MAX_BODY_BYTES`], axum's own limit being lower
    /// than what the server sends (P-111).
    pub async fn serve(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let announced = parts.headers.get(http::header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let response = match announced {
            Some(length) if length > MAX_BODY_BYTES => self.body_too_large(),
            _ => match to_bytes(body, MAX_BODY_BYTES).await {
                Ok(body) => self.handle(Request::from_parts(parts, body)).await,
                Err(error) if is_over_limit(&error) => self.body_too_large(),
                Err(_) => self.body_unreadable(),
            },
        };
        response.map(Body::from)
    }
}

async fn serve(State(endpoint): State<Endpoint>, request: Request) -> Response {
    endpoint.serve(request).await
}

fn is_over_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
