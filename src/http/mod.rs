//! The listeners: what can be asked of the service from outside.

mod admin;
mod client;
mod listener;
mod oauth;
mod page;
mod public;
mod rate;
mod webhook;

pub use admin::admin_router;
pub use listener::{Limits, bind, serve};
pub use oauth::{Consent, oauth_router};
pub use public::public_router;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

/// A JSON answer.
fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
