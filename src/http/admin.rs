use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::json;
use crate::metrics::{METRICS_CONTENT_TYPE, Metrics};
use crate::store::Store;

#[derive(Clone)]
struct Admin {
    store: Store,
    metrics: Metrics,
}

/// What only operators may reach: readiness and metrics. Nobody has to log in, so it listens on this machine alone
/// unless told otherwise.
pub fn admin_router(store: Store, metrics: Metrics) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Admin { store, metrics })
}

/// Ready means that a webhook would be stored.
async fn ready(State(admin): State<Admin>) -> Response {
    match admin.store.inbox_counts().await {
        Ok(_) => json(StatusCode::OK, &json!({ "status": "ready" })),
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "not ready: the database does not answer"
            );
            let body = json!({ "status": "not ready", "reason": "the database does not answer" });
            json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

async fn metrics_text(State(admin): State<Admin>) -> Response {
    if let Ok(counts) = admin.store.inbox_counts().await {
        admin.metrics.set_inbox(&counts);
    }
    ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], admin.metrics.render()).into_response()
}
