//! `GET /dev`: that the server is there (P-016).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::core::Core;

pub(super) async fn info(State(core): State<Arc<Core>>) -> Json<Value> {
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
