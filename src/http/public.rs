use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use inngest::Endpoint;
use serde_json::json;

use super::json;
use crate::inbox::{Intake, Webhooks, has_parameter};

#[derive(Clone)]
struct Public {
    endpoint: Endpoint,
    webhooks: Arc<Webhooks>,
}

/// What the world may reach: the serve endpoint, the webhooks, and a sign of life.
pub fn public_router(endpoint: Endpoint, intake: Arc<Intake>) -> Router {
    let webhooks = Arc::new(Webhooks::new(intake));
    Router::new()
        .route("/api/inngest", any(inngest_or_webhook))
        .route("/api/inngest/", any(inngest_or_webhook))
        .route("/api/amocrm-webhook", post(amocrm_webhook).fallback(method_not_allowed))
        .route("/healthz", get(alive).fallback(method_not_allowed))
        .fallback(not_found)
        .with_state(Public { endpoint, webhooks })
}

/// The original service told people to give amoCRM the URL of the serve endpoint, so both kinds of callers come
/// here. Inngest posts JSON and names a function.
async fn inngest_or_webhook(State(public): State<Public>, request: Request) -> Response {
    if is_amocrm_webhook(&request) {
        public.webhooks.receive(request).await
    } else {
        public.endpoint.serve(request).await
    }
}

fn is_amocrm_webhook(request: &Request) -> bool {
    request.method() == Method::POST
        && is_form(request.headers())
        && !has_parameter(request.uri(), "fnId")
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

async fn amocrm_webhook(State(public): State<Public>, request: Request) -> Response {
    public.webhooks.receive(request).await
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
