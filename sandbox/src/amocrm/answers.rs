//! The forms of amoCRM's answers.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// HTTP 204: how amoCRM says "none".
pub(super) fn nothing() -> Response {
    answer_with(204, "application/hal+json", String::new())
}

/// A problem document.
pub(super) fn problem(status: u16, title: &str, detail: &str) -> Response {
    let kind = format!("https://httpstatus.es/{status}");
    let body = json!({"title": title, "type": kind, "status": status, "detail": detail});
    answer_with(status, "application/problem+json", body.to_string())
}

/// An answer in JSON.
pub(super) fn json_answer(status: u16, body: &Value) -> Response {
    let kind = if status < 400 { "application/hal+json" } else { "application/problem+json" };
    answer_with(status, kind, body.to_string())
}

/// A page, as the proxy in front of amoCRM makes them.
pub(super) fn page(status: u16, html: &str) -> Response {
    answer_with(status, "text/html", html.to_owned())
}

/// HTTP 429.
pub(super) fn too_many_requests(retry_after: Option<u64>) -> Response {
    let mut answer = page(429, "<h1>429 Too Many Requests</h1>");
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// A redirect to `target`.
pub(super) fn redirect(target: &str) -> Response {
    let mut answer = page(302, "");
    if let Ok(target) = HeaderValue::from_str(target) {
        answer.headers_mut().insert(LOCATION, target);
    }
    answer
}

fn answer_with(status: u16, content_type: &'static str, body: String) -> Response {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
