//! `GET /v0/runs/{id}/...`: state that is too large for a call, for the SDK to fetch (P-110).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use ulid::Ulid;

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::run::Run;

/// The `steps` map.
pub(super) async fn actions(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    read(&core, &id, |run| run.memo.to_json())
}

/// The `events` array.
pub(super) async fn batch(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    read(&core, &id, |run| run.events().iter().map(|event| event.stored()).collect())
}

fn read(core: &Core, id: &str, part: impl FnOnce(&Run) -> Value) -> Response {
    let Ok(run_id) = Ulid::from_string(id) else {
        return text_reply(
            StatusCode::BAD_REQUEST,
            &error_body(400, &format!("Invalid run ID: {id}")),
        );
    };
    match core.state().running(run_id) {
        Some(run) => text_reply(StatusCode::OK, &part(run)),
        None => {
            let message = format!("runtime state is no longer available for runID: {id}");
            text_reply(StatusCode::GONE, &error_body(410, &message))
        }
    }
}
