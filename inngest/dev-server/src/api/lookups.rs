//! `GET /v1/...`: what became of events and runs (P-210).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::{Value, json};
use ulid::Ulid;

use super::answer::error_body;
use crate::core::Core;
use crate::run::Run;

const NO_ACCOUNT: &str = "00000000-0000-0000-0000-000000000000";

/// One event.
pub(super) async fn event(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Json<Value> {
    let state = core.state();
    let Some(event) = Ulid::from_string(&id).ok().and_then(|id| state.events.get(&id)) else {
        return missing(404, "Event not found");
    };
    let mut data = event.stored();
    if let Value::Object(fields) = &mut data {
        fields.insert("internal_id".to_owned(), json!(event.internal_id.to_string()));
        fields.insert("account_id".to_owned(), json!(NO_ACCOUNT));
        fields.insert("environment_id".to_owned(), json!(NO_ACCOUNT));
        fields.insert("source".to_owned(), json!(""));
        fields.insert("source_id".to_owned(), Value::Null);
        fields.insert("received_at".to_owned(), time(event.received_at));
    }
    found(&core, &data)
}

/// The runs that one event started.
pub(super) async fn runs_of_event(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Json<Value> {
    let state = core.state();
    let runs = Ulid::from_string(&id).ok().and_then(|id| state.runs_of_event.get(&id));
    let runs = runs.into_iter().flatten().filter_map(|id| state.runs.get(id));
    found(&core, &runs.map(describe).collect())
}

/// One run.
pub(super) async fn run(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Json<Value> {
    let Ok(run_id) = Ulid::from_string(&id) else {
        return missing(400, &format!("Invalid run ID: {id}"));
    };
    let state = core.state();
    match state.runs.get(&run_id) {
        Some(run) => found(&core, &describe(run)),
        None => missing(500, &format!("Unable to load function run: {id}")),
    }
}

fn describe(run: &Run) -> Value {
    let mut data = json!({
        "run_id": run.id.to_string(),
        "run_started_at": time(run.started_at),
        "function_id": run.function.uuid,
        "function_version": 0,
        "environment_id": NO_ACCOUNT,
        "event_id": run.event().internal_id.to_string(),
        "status": run.status.as_str(),
        "ended_at": run.ended_at.map(time),
    });
    if let (Some(output), Value::Object(fields)) = (&run.output, &mut data) {
        fields.insert("output".to_owned(), output.clone());
    }
    data
}

fn time(unix_ms: i64) -> Value {
    Timestamp::from_millisecond(unix_ms).map_or(Value::Null, |time| json!(time.to_string()))
}

/// Answers are never cached here, so the two times of `metadata` are the same.
fn found(core: &Core, data: &Value) -> Json<Value> {
    let now = time(core.env.now());
    Json(json!({"data": data, "metadata": {"fetched_at": now, "cached_until": now}}))
}

/// The real server answers 200 here and puts the status into the body.
fn missing(status: u16, message: &str) -> Json<Value> {
    Json(error_body(status, message))
}
