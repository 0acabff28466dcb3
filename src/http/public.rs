use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::StatusCode;
use inngest::Endpoint;
use serde_json::json;

use super::json;
use crate::inbox::{self, Intake};

#[derive(Clone)]
struct Public {
    endpoint: Endpoint,
    intake: Arc<Intake>,
}

/// What the world may reach: the serve endpoint, the webhooks, and a sign of life.
pub fn public_router(endpoint: Endpoint, intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/api/inngest", any(inngest_or_webhook))
        .route("/api/inngest/", any(inngest_or_webhook))
        .route("/api/amocrm-webhook", post(amocrm_webhook).fallback(method_not_allowed))
        .route("/healthz", get(alive).fallback(method_not_allowed))
        .fallback(not_found)
        .with_state(Public { endpoint, intake })
}

async fn inngest_or_webhook(State(public): State<Public>, request: Request) -> Response {
    if inbox::is_webhook(&request) {
        public.intake.receive(request).await
    } else {
        public.endpoint.serve(request).await
    }
}

async fn amocrm_webhook(State(public): State<Public>, request: Request) -> Response {
    public.intake.receive(request).await
}

async fn alive() -> Response {
    json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn not_found() -> Response {
    json(StatusCode::NOT_FOUND, &json!({ "error": "not found" }))
}

async fn method_not_allowed() -> Response {
    json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "method not allowed" }))
}
