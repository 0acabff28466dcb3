//! `POST /v1/checkpoint/{run_id}/async`: steps saved while their call goes on (P-194).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use ulid::Ulid;

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::ids::job_of_queue_item;
use crate::ops::parse::{self, InvalidOps, OUTPUT_TOO_LARGE};
use crate::state::checkpoint::{Checkpoint, CheckpointError};

/// What the real server reads of the body; it takes the run from here, not from the path.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default = "no_run")]
    run_id: String,
    #[serde(default)]
    qi_id: String,
    #[serde(default)]
    generation_id: Option<u32>,
    #[serde(default)]
    request_started_at: Option<i64>,
    #[serde(default)]
    steps: Vec<Box<RawValue>>,
}

fn no_run() -> String {
    Ulid::nil().to_string()
}

pub(super) async fn save(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let request = match serde_json::from_slice::<Request>(&body) {
        Ok(request) => request,
        Err(error) => return unreadable(&error.to_string()),
    };
    let Ok(run) = Ulid::from_string(&request.run_id) else {
        return unreadable(&format!("{:?} is no run id", request.run_id));
    };
    let ops = match parse::parse_saved(&request.steps) {
        Ok(ops) => ops,
        Err(InvalidOps::OutputTooLarge(step)) => {
            let message = format!("step {step} output too large: {OUTPUT_TOO_LARGE}");
            return refused(StatusCode::PAYLOAD_TOO_LARGE, &message, run);
        }
        Err(InvalidOps::Unreadable(why)) => return unreadable(&why),
        Err(error) => return unreadable(&error.to_string()),
    };
    let checkpoint = Checkpoint {
        run,
        job: job_of_queue_item(&request.qi_id),
        generation: request.generation_id,
        request_started_at: request.request_started_at,
        ops,
    };
    match core.change(|state, env| state.checkpoint(&checkpoint, env.now())) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => refused(status(&error), &error.to_string(), run),
    }
}

fn status(error: &CheckpointError) -> StatusCode {
    match error {
        CheckpointError::StateTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        CheckpointError::Gone | CheckpointError::WrongGeneration { .. } => StatusCode::CONFLICT,
        CheckpointError::RunNotFound
        | CheckpointError::NoQueueItem
        | CheckpointError::AsyncSteps
        | CheckpointError::Opcode(_) => StatusCode::BAD_REQUEST,
    }
}

fn unreadable(why: &str) -> Response {
    let body = error_body(400, &format!("invalid request body: {why}"));
    text_reply(StatusCode::BAD_REQUEST, &body)
}

fn refused(status: StatusCode, message: &str, run: Ulid) -> Response {
    let data = json!({"run_id": run.to_string()});
    let body = json!({"error": message, "data": data, "status": status.as_u16()});
    text_reply(status, &body)
}
