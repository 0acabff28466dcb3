//! `POST /fn/register`: an app registers its functions (P-067..P-090).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::{error_body, text_reply};
use crate::core::Core;
use crate::registry::RegisterError;

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
    let bad_request = |body: &Value| text_reply(StatusCode::BAD_REQUEST, body);
    match core.change(|state, env| state.register(&body, env)) {
        Ok(registered) => text_reply(
            StatusCode::OK,
            &json!({
                "ok": true,
                "modified": registered.modified,
                "sync_id": core.env.uuid(),
                "app_id": registered.app_uuid,
            }),
        ),
        Err(error @ RegisterError::Unreadable(_)) => {
            bad_request(&json!({"error": error.to_string()}))
        }
        Err(error) => bad_request(&error_body(400, &error.to_string())),
    }
}
