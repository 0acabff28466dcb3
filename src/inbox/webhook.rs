//! A webhook as HTTP: the secret out of the URL, the body up to its limit, then the intake.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Uri};
use tokio::sync::Semaphore;

use super::answer::IntakeAnswer;
use super::intake::{BODY_LIMIT, Intake};
use crate::logging::Tally;

/// Bytes of bodies that are held at once, of all webhooks together.
const IN_FLIGHT: usize = 16 * 1024 * 1024;

/// Takes webhooks out of requests.
pub(super) struct Webhooks {
    intake: Arc<Intake>,
    /// A permit for each byte.
    room: Semaphore,
    forged: Tally,
}

impl Webhooks {
    pub(super) fn new(intake: Arc<Intake>) -> Self {
        Self { intake, room: Semaphore::new(IN_FLIGHT), forged: Tally::default() }
    }

    pub(super) async fn receive(&self, request: Request) -> Response {
        let IntakeAnswer { status, body, .. } = self.answer(request).await;
        let json = [(CONTENT_TYPE, "application/json")];
        (status, json, body.to_string()).into_response()
    }

    async fn answer(&self, request: Request) -> IntakeAnswer {
        let (parts, body) = request.into_parts();
        let secret = parameter(&parts.uri, "secret");
        let secret = secret.as_deref();
        if let Some(refusal) = self.intake.refuse_stranger(secret) {
            if let Some(times) = self.forged.count(self.intake.clock.now()) {
                tracing::warn!(times, "a webhook with a wrong or missing secret was refused");
            }
            return refusal;
        }
        let size = announced(&parts.headers);
        if size.is_some_and(|size| size > BODY_LIMIT) {
            return self.intake.refuse_oversized();
        }
        // A body of unknown length may become as long as one can be.
        let size = u32::try_from(size.unwrap_or(BODY_LIMIT)).unwrap_or(u32::MAX);
        let Ok(_room) = self.room.try_acquire_many(size) else {
            return self.intake.refuse_crowded();
        };
        match to_bytes(body, BODY_LIMIT).await {
            Ok(body) => {
                let content_type = parts.headers.get(CONTENT_TYPE);
                let content_type = content_type.and_then(|value| value.to_str().ok());
                self.intake.accept(content_type, secret, &body).await
            }
            Err(error) if is_over_limit(&error) => self.intake.refuse_oversized(),
            // Half a webhook is none. The sender is told to repeat it, if it still listens.
            Err(_) => self.intake.refuse_incomplete(),
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
