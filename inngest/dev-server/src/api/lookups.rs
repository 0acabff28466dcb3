//! What can be read: events and runs (P-210), the state of a run that is too large for a call (P-110), the server itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use ulid::Ulid;

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::ids::named_uuid;
use crate::run::Run;

const NO_ACCOUNT: &str = "00000000-0000-0000-0000-000000000000";

/// One event.
pub(super) async fn event(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Json<Value> {
    let Ok(event_id) = Ulid::from_string(&id) else {
        return missing(400, &format!("Invalid event ID: {id}"));
    };
    let state = core.state();
    let Some(event) = state.events.get(&event_id) else {
        return missing(404, "Event not found");
    };
    let mut data = event.stored();
    data["internal_id"] = json!(event.internal_id.to_string());
    data["account_id"] = json!(NO_ACCOUNT);
    data["environment_id"] = json!(NO_ACCOUNT);
    data["source"] = json!("");
    data["source_id"] = Value::Null;
    data["received_at"] = time(event.received_at);
    found(&core, &data)
}

/// The runs that one event started.
pub(super) async fn runs_of_event(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Json<Value> {
    let Ok(event_id) = Ulid::from_string(&id) else {
        return missing(400, &format!("Invalid event ID: {id}"));
    };
    let state = core.state();
    let runs = state.runs_of_event.get(&event_id);
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
        "status": run.status,
        "ended_at": run.ended_at.map(time),
    });
    if let Some(output) = &run.output {
        data["output"] = output.clone();
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

/// The `steps` map of a run.
pub(super) async fn actions(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    state_of(&core, &id, |run| run.memo.to_json())
}

/// The `events` array of a run.
pub(super) async fn batch(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    state_of(&core, &id, |run| run.events().iter().map(|event| event.stored()).collect())
}

fn state_of(core: &Core, id: &str, part: impl FnOnce(&Run) -> Value) -> Response {
    let Ok(run_id) = Ulid::from_string(id) else {
        return text_reply(
            StatusCode::BAD_REQUEST,
            &error_body(400, "The run ID specified is invalid"),
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

/// The functions of one app: a bare list, empty where the app is not known.
pub(super) async fn functions_of(
    State(core): State<Arc<Core>>,
    Path(app): Path<String>,
) -> Json<Value> {
    let state = core.state();
    let functions = state.registry.functions_of(&app);
    let described = functions.map(|function| {
        json!({
            "internal_id": function.uuid,
            "env_id": NO_ACCOUNT,
            "app_id": named_uuid("app", &app),
            "id": function.id,
            "name": function.id,
        })
    });
    Json(described.collect())
}

/// `GET /dev`: a liveness check (P-016).
pub(super) async fn dev(State(core): State<Arc<Core>>) -> Json<Value> {
    let state = core.state();
    let functions: Vec<Value> = state
        .registry
        .functions()
        .map(|function| json!({"id": function.uuid, "slug": function.id, "url": function.url.as_str()}))
        .collect();
    Json(json!({
        "version": concat!("prometei-dev-server-", env!("CARGO_PKG_VERSION")),
        "authed": core.signing_key.is_some(),
        "functions": functions,
        "isSingleNodeService": true,
        "isMissingSigningKey": false,
        "isMissingEventKeys": false,
    }))
}
