//! The official HTTP API.

mod answer;
mod auth;
mod checkpoint;
mod events;
mod lookups;
mod register;
mod signals;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, Uri};

use crate::core::Core;

/// Limits the memory that one request can take.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

pub(crate) fn router(core: Arc<Core>) -> Router {
    let authenticated = Router::new()
        .route("/fn/register", post(register::register))
        .route("/v0/runs/{run_id}/actions", get(lookups::actions))
        .route("/v0/runs/{run_id}/batch", get(lookups::batch))
        .route("/v1/apps/{app}/functions", get(lookups::functions_of))
        .route("/v1/checkpoint/{run_id}/async", post(checkpoint::save))
        .route("/v1/signals", post(signals::send))
        .route("/v1/events/{event_id}", get(lookups::event))
        .route("/v1/events/{event_id}/runs", get(lookups::runs_of_event))
        .route("/v1/runs/{run_id}", get(lookups::run))
        .route_layer(from_fn_with_state(Arc::clone(&core), auth::require_bearer));
    Router::new()
        .route("/e/{event_key}", post(events::receive))
        .route("/dev", get(lookups::dev))
        .merge(authenticated)
        .fallback(elsewhere)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(Arc::clone(&core), name_server_kind))
        .layer(from_fn(as_go_reads_a_path))
        .with_state(core)
}

/// A path that leads nowhere. The real server says `ok` to most of them, so that an event sent there is lost (P-018).
async fn elsewhere(uri: Uri) -> (StatusCode, &'static str) {
    match uri.path().starts_with("/v0/") || uri.path().starts_with("/v1/") {
        true => (StatusCode::NOT_FOUND, "404 page not found\n"),
        false => (StatusCode::OK, "ok"),
    }
}

/// A broken escape is refused, and a path that ends with a slash is sent on to one that does not.
async fn as_go_reads_a_path(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_broken = path.split('%').skip(1).any(|escape| {
        !escape
            .as_bytes()
            .first_chunk()
            .is_some_and(|hex: &[u8; 2]| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if is_broken {
        return (StatusCode::BAD_REQUEST, "400 Bad Request").into_response();
    }
    match path.strip_suffix('/') {
        Some(without) if !without.is_empty() => Redirect::to(without).into_response(),
        _ => next.run(request).await,
    }
}

/// Every answer says what kind of server gave it.
async fn name_server_kind(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let kind = HeaderValue::from_static(core.server_kind());
    response.headers_mut().insert("x-inngest-server-kind", kind);
    response
}
