//! Listeners with limits, the public router, and what pages and answers look like. The routes of features come from the
//! features.

mod client;
mod listener;
mod page;
mod rate;

pub(crate) use client::Client;
pub(crate) use listener::{Limits, bind, serve};
pub(crate) use page::page;
pub(crate) use rate::RateLimit;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// What the world may reach: the routes of the features, and a sign of life.
pub(crate) fn public_router(features: Router) -> Router {
    features
        .route("/healthz", get(alive))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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
