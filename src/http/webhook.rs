//! A webhook as HTTP: the secret out of the URL, the body up to its limit, then the intake.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::Uri;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::json;
use crate::intake::{BODY_LIMIT, Intake, IntakeAnswer};

/// How long a body may take to arrive. amoCRM has given up long before.
const READ_LIMIT: Duration = Duration::from_secs(10);

pub(super) async fn receive(intake: &Intake, request: Request) -> Response {
    let IntakeAnswer { status, body, .. } = answer(intake, request).await;
    json(status, &body)
}

async fn answer(intake: &Intake, request: Request) -> IntakeAnswer {
    let (parts, body) = request.into_parts();
    let secret = parameter(&parts.uri, "secret");
    let secret = secret.as_deref();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        return intake.refuse_oversized(secret);
    }
    match tokio::time::timeout(READ_LIMIT, to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(body)) => intake.accept(content_type, secret, &body).await,
        Ok(Err(error)) if is_over_limit(&error) => intake.refuse_oversized(secret),
        // Half a webhook is none. The sender is told to repeat it, if it still listens.
        Ok(Err(_)) | Err(_) => intake.refuse_incomplete(secret),
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

pub(super) fn has_parameter(uri: &Uri, name: &str) -> bool {
    parameter(uri, name).is_some()
}

fn parameter<'u>(uri: &'u Uri, name: &str) -> Option<Cow<'u, str>> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}
