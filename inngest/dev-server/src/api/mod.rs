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
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderValue;

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
        .route("/e", post(events::without_key))
        .route("/e/", post(events::without_key))
        .route("/dev", get(lookups::dev))
        .merge(authenticated)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(Arc::clone(&core), name_server_kind))
        .with_state(core)
}

/// Every answer says what kind of server gave it.
async fn name_server_kind(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let kind = HeaderValue::from_static(core.server_kind());
    response.headers_mut().insert("x-inngest-server-kind", kind);
    response
}
