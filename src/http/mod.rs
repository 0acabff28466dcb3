//! Listeners with limits, the public router, and what pages and answers look like. The routes of features come from the
//! features.

mod client;
mod listener;
mod page;
mod public;
mod rate;

pub(crate) use client::Client;
pub(crate) use listener::{Limits, bind, serve};
pub(crate) use page::page;
pub(crate) use public::public_router;
pub(crate) use rate::RateLimit;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
