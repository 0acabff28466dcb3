//! Where webhooks come in.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, post};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use inngest::Endpoint;

use super::intake::Intake;
use super::webhook::{Webhooks, has_parameter};

#[derive(Clone)]
struct Doors {
    webhooks: Arc<Webhooks>,
    endpoint: Endpoint,
}

/// The address of webhooks, and that of the Inngest endpoint: the original service told people to give it to amoCRM, so
/// both come there.
pub fn webhook_router(intake: Arc<Intake>, endpoint: Endpoint) -> Router {
    let webhooks = Arc::new(Webhooks::new(intake));
    Router::new()
        .route("/api/amocrm-webhook", post(webhook))
        .route("/api/inngest", any(webhook_or_call))
        .route("/api/inngest/", any(webhook_or_call))
        .with_state(Doors { webhooks, endpoint })
}

async fn webhook(State(doors): State<Doors>, request: Request) -> Response {
    doors.webhooks.receive(request).await
}

async fn webhook_or_call(State(doors): State<Doors>, request: Request) -> Response {
    if is_webhook(&request) {
        doors.webhooks.receive(request).await
    } else {
        doors.endpoint.serve(request).await
    }
}

/// Inngest posts JSON and names a function.
fn is_webhook(request: &Request) -> bool {
    request.method() == Method::POST
        && is_form(request.headers())
        && !has_parameter(request.uri(), "fnId")
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
