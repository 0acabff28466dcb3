use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::json;
use crate::db::Db;
use crate::deals;
use crate::inbox::Inbox;
use crate::metrics::{METRICS_CONTENT_TYPE, Metrics};
use crate::reconcile::Progress;

/// How long the proof that a webhook would be stored may take.
const PROOF_LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Admin {
    db: Db,
    inbox: Inbox,
    metrics: Metrics,
    progress: Progress,
}

/// What only operators may reach: readiness and metrics. It asks for no login, so it listens on this machine alone by
/// default.
pub fn admin_router(db: Db, inbox: Inbox, metrics: Metrics, progress: Progress) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Admin { db, inbox, metrics, progress })
}

/// Ready means that a webhook would be stored: only a write can tell, as a full disk can still be read.
async fn ready(State(admin): State<Admin>) -> Response {
    let proof = tokio::time::timeout(PROOF_LIMIT, admin.inbox.prove_writable()).await;
    let error = match proof {
        Ok(Ok(())) => return json(StatusCode::OK, &json!({ "status": "ready" })),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("the database did not answer within {PROOF_LIMIT:?}"),
    };
    tracing::error!(error, "not ready: a webhook could not be stored");
    let reason = format!("a webhook could not be stored: {error}");
    let body = json!({ "status": "not ready", "reason": reason });
    json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

async fn metrics_text(State(admin): State<Admin>) -> Response {
    if let Ok(counts) = admin.inbox.counts().await {
        admin.metrics.set_inbox(&counts);
    }
    if let Ok(counts) = deals::counts(&admin.db).await {
        admin.metrics.set_deals(&counts, admin.db.clock().now());
    }
    if let Ok(behind) = admin.progress.behind().await {
        admin.metrics.reconcile_behind(behind.map(|behind| behind.as_secs()));
    }
    ([(CONTENT_TYPE, METRICS_CONTENT_TYPE)], admin.metrics.render()).into_response()
}
