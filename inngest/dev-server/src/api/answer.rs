//! The shapes of answers.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// The shape of most refusals (P-070).
pub(super) fn error_body(status: u16, message: &str) -> Value {
    json!({"error": message, "data": null, "status": status})
}

/// JSON under a text content type, as the real server sends much of it.
pub(super) fn text_reply(status: StatusCode, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, content_type, body.to_string()).into_response()
}
