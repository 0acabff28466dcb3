//! `POST /v1/signals`: resumes the run that waits for a signal (P-180).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::typed;

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    signal: String,
    #[serde(default)]
    data: Value,
}

pub(super) async fn send(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let refused =
        |status: StatusCode, why: &str| text_reply(status, &error_body(status.as_u16(), why));
    let request = serde_json::from_slice::<Value>(&body).ok();
    let Some(request) = request.and_then(|body| typed::object::<Request>(&body, "").ok()) else {
        return refused(StatusCode::BAD_REQUEST, "Invalid signal data");
    };
    if request.signal.is_empty() {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "Failed to receive signal");
    }
    match core.change(|state, env| state.signal(&request.signal, &request.data, env)) {
        Some(run) => text_reply(StatusCode::OK, &json!({"data": {"run_id": run.to_string()}})),
        None => refused(StatusCode::NOT_FOUND, "No signal found"),
    }
}
