//! What a webhook is answered.

use http::StatusCode;
use serde_json::{Value, json};

use crate::metrics::WebhookOutcome;

/// The answer to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct IntakeAnswer {
    /// The status.
    pub status: StatusCode,
    /// The JSON body. amoCRM ignores it; it is for people with `curl`.
    pub body: Value,
    /// What became of the webhook.
    pub outcome: WebhookOutcome,
}

impl IntakeAnswer {
    /// The webhook's leads are stored.
    pub(super) fn accepted(leads: usize) -> Self {
        let (status, outcome) = (StatusCode::OK, WebhookOutcome::Accepted);
        Self { status, body: json!({"accepted": leads}), outcome }
    }

    /// The webhook is fine, and no lead of it was taken.
    pub(super) fn nothing(outcome: WebhookOutcome) -> Self {
        let body = match outcome {
            WebhookOutcome::Unparsable => json!({"accepted": 0, "note": "not readable, body kept"}),
            _ => json!({"accepted": 0}),
        };
        Self { status: StatusCode::OK, body, outcome }
    }

    /// The webhook was not taken.
    pub(super) fn refused(outcome: WebhookOutcome) -> Self {
        let (status, error) = match outcome {
            WebhookOutcome::Unauthorized => (StatusCode::UNAUTHORIZED, "wrong or missing secret"),
            WebhookOutcome::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "over 256 KiB"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not stored, send it again"),
        };
        Self { status, body: json!({"error": error}), outcome }
    }
}
