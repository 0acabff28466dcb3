//! `POST /fn/register`: an app tells its functions (P-067..P-090).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::observe::Observation;
use crate::registry::{RegisterError, Registered};

pub(super) async fn register(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = core.server_kind();
    let expected = headers.get("x-inngest-expected-server-kind").filter(|kind| !kind.is_empty());
    if let Some(expected) = expected.filter(|expected| *expected != kind) {
        let expected = String::from_utf8_lossy(expected.as_bytes());
        // P-046: the texts are the wrong way round on the real server too.
        let message = format!("Expected server kind {kind}, got {expected}");
        return text_reply(StatusCode::BAD_REQUEST, &json!({"error": message}));
    }
    let registered = core.state().register(&body, &core.env);
    core.queue_changed.notify_one();
    match registered {
        Ok(registered) => {
            observe(&core, &registered);
            text_reply(
                StatusCode::OK,
                &json!({
                    "ok": true,
                    "modified": registered.modified,
                    "sync_id": core.env.uuid(),
                    "app_id": registered.app_uuid,
                }),
            )
        }
        Err(error @ RegisterError::Unreadable(_)) => {
            text_reply(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()}))
        }
        Err(error) => text_reply(StatusCode::BAD_REQUEST, &error_body(400, &error.to_string())),
    }
}

fn observe(core: &Core, registered: &Registered) {
    if !registered.modified {
        return;
    }
    let not_enforced = registered
        .functions
        .iter()
        .flat_map(|function| {
            function.not_enforced.iter().map(move |setting| format!("{}.{setting}", function.id))
        })
        .collect::<Vec<_>>();
    if !not_enforced.is_empty() {
        tracing::warn!(?not_enforced, "this dev server does not enforce flow control");
    }
    core.observe([Observation::AppSynced {
        app: registered.app.clone(),
        functions: registered.functions.iter().map(|function| function.id.clone()).collect(),
        not_enforced,
    }]);
}
