use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::json;

/// What the world may reach: the routes of the features, and a sign of life.
pub(crate) fn public_router(features: Router) -> Router {
    features
        .route("/healthz", get(alive))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
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
