//! Which requests are webhooks.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, post};
use http::Method;
use http::header::CONTENT_TYPE;
use inngest::Endpoint;

use super::webhook::{Intake, parameter, text};

/// The address of webhooks, and that of the Inngest endpoint: the original service told people to give that one to
/// amoCRM, so both kinds of requests come there.
pub(crate) fn webhook_router(intake: Intake, endpoint: Endpoint) -> Router {
    Router::new()
        .route("/api/amocrm-webhook", post(webhook))
        .route("/api/inngest", any(webhook_or_call))
        .route("/api/inngest/", any(webhook_or_call))
        .with_state((Arc::new(intake), endpoint))
}

type Receivers = State<(Arc<Intake>, Endpoint)>;

async fn webhook(State((intake, _)): Receivers, request: Request) -> Response {
    intake.receive(request).await
}

/// Every call of Inngest names a function. Of what names none, a form is a webhook, and so is whatever carries the
/// secret, so that a body that cannot be read is kept here too. Where there is no secret, the body has to tell.
async fn webhook_or_call(State((intake, endpoint)): Receivers, request: Request) -> Response {
    if request.method() != Method::POST || parameter(request.uri(), "fnId").is_some() {
        return endpoint.serve(request).await;
    }
    if is_form(&request) || intake.is_meant_by(request.uri()) {
        return intake.receive(request).await;
    }
    match intake.receive_if_webhook(request).await {
        Ok(answer) => answer,
        Err(request) => endpoint.serve(request).await,
    }
}

fn is_form(request: &Request) -> bool {
    let media_type =
        text(request.headers(), CONTENT_TYPE).and_then(|value| value.split(';').next());
    let form = "application/x-www-form-urlencoded";
    media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(form))
}
