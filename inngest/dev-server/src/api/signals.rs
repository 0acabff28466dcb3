//! `POST /v1/signals`: resumes the run that waits for a signal (P-180).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error_body, text_reply};
use crate::core::Core;

#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    signal: String,
    #[serde(default)]
    data: Value,
}

pub(super) async fn send(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let refused = |why: &str| text_reply(StatusCode::BAD_REQUEST, &error_body(400, why));
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return refused("Invalid signal payload");
    };
    if request.signal.is_empty() {
        return refused("Signal ID is required");
    }
    let resumed = core.state().signal(&request.signal, &request.data, &core.env);
    core.queue_changed.notify_one();
    match resumed {
        Some(run) => text_reply(StatusCode::OK, &json!({"data": {"run_id": run.to_string()}})),
        None => text_reply(StatusCode::NOT_FOUND, &error_body(404, "No signal found")),
    }
}
