//! Registrations and reads of runs need the signing key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};

use crate::core::Core;

pub(super) async fn require_bearer(
    State(core): State<Arc<Core>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_authorized(&core, request.headers()) {
        let content_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return (StatusCode::UNAUTHORIZED, content_type, "Authentication failed\n").into_response();
    }
    next.run(request).await
}

/// The hashed key and the key itself are accepted (P-072). A server without a key accepts every request.
fn is_authorized(core: &Core, headers: &HeaderMap) -> bool {
    let Some(key) = &core.signing_key else { return true };
    let Some(token) = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return false;
    };
    // The token is compared as a key, which hides it from logs as well.
    let hashed = key.api_token().is_ok_and(|expected| expected == token);
    hashed || *key == inngest::signing::SigningKey::new(token)
}
