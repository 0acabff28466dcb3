//! A webhook: whether it is amoCRM's, its body up to the limit, its leads stored, and only then the answer. No call to
//! the outside is made here.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::anyhow;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use functions::webhook::{AmoCrmWebhook, LeadFilter};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Uri};
use inngest::Endpoint;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::read::{self, Reading};
use super::store::{Inbox, STORE_LIMIT};
use crate::logging::Tally;
use crate::metrics::Metrics;

/// The largest body that is accepted.
pub const BODY_LIMIT: usize = 256 * 1024;

/// Bytes of bodies that are held at once, of all webhooks together.
const IN_FLIGHT: usize = 16 * 1024 * 1024;

/// Receives webhooks.
pub struct Intake {
    inbox: Inbox,
    /// A webhook must carry one of them in its URL: the only proof of origin, because amoCRM signs nothing. None:
    /// every webhook is accepted.
    secrets: Vec<SecretString>,
    filter: LeadFilter,
    metrics: Metrics,
    /// A permit for each byte of a body.
    room: Semaphore,
    forged: Tally,
}

/// What became of a webhook.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// So many leads were stored.
    Accepted(usize),
    /// Nothing in it concerned us.
    Ignored,
    /// It had no body.
    Empty,
    /// Nothing in it could be read; the body was kept.
    Unparsable,
    /// The secret was wrong or missing.
    Unauthorized,
    /// It was over the limit.
    TooLarge,
    /// It could not be stored; amoCRM was asked to send it again.
    NotStored,
}

impl Outcome {
    /// Its name in the metrics, and the answer: amoCRM looks at the status alone, the rest is for people with `curl`.
    ///
    /// Garbage is answered 200 too: a 4xx would make amoCRM repeat what cannot get better, and in the end disable the
    /// webhook.
    fn answer(self) -> (&'static str, StatusCode, Value) {
        let nothing = json!({"accepted": 0});
        match self {
            Self::Accepted(leads) => ("accepted", StatusCode::OK, json!({"accepted": leads})),
            Self::Ignored => ("ignored", StatusCode::OK, nothing),
            Self::Empty => ("empty", StatusCode::OK, nothing),
            Self::Unparsable => {
                let kept = json!({"accepted": 0, "note": "not readable, body kept"});
                ("unparsable", StatusCode::OK, kept)
            }
            Self::Unauthorized => {
                let why = json!({"error": "wrong or missing secret"});
                ("unauthorized", StatusCode::UNAUTHORIZED, why)
            }
            Self::TooLarge => {
                let why = json!({"error": "over 256 KiB"});
                ("too_large", StatusCode::PAYLOAD_TOO_LARGE, why)
            }
            Self::NotStored => {
                let why = json!({"error": "not stored, send it again"});
                ("not_stored", StatusCode::SERVICE_UNAVAILABLE, why)
            }
        }
    }
}

impl Intake {
    /// Accepts the webhooks that carry one of `secrets` in their URL, or all where there is none, and of their leads
    /// those that pass `filter`.
    pub fn new(
        inbox: Inbox,
        secrets: Vec<SecretString>,
        filter: LeadFilter,
        metrics: Metrics,
    ) -> Self {
        let (room, forged) = (Semaphore::new(IN_FLIGHT), Tally::default());
        Self { inbox, secrets, filter, metrics, room, forged }
    }

    /// Receives one webhook. Once the answer is 200, every lead that concerns us is stored durably.
    pub async fn receive(&self, request: Request) -> Response {
        let (name, status, body) = self.take(request).await.answer();
        self.metrics.webhook(name);
        (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }

    async fn take(&self, request: Request) -> Outcome {
        let (parts, body) = request.into_parts();
        // Before its body is read, so that untrusted clients cannot make the service hold one.
        if !self.carries_a_secret(&parts.uri) {
            if let Some(times) = self.forged.count(self.inbox.db.clock().now()) {
                tracing::warn!(times, "a webhook with a wrong or missing secret was refused");
            }
            return Outcome::Unauthorized;
        }
        let (body, _room) = match self.read(announced(&parts.headers), body).await {
            Ok(read) => read,
            Err(outcome) => return outcome,
        };
        let content_type = text(&parts.headers, CONTENT_TYPE);
        let stored = match read::read(content_type, &body, &self.filter) {
            Reading::Empty => return Outcome::Empty,
            Reading::Ignored => return Outcome::Ignored,
            Reading::Unparsable { reason } => self.keep(&body, &reason).await,
            Reading::Leads { mut leads, problem } => {
                let received_at = format!("{:.3}", self.inbox.db.clock().now());
                leads.iter_mut().for_each(|lead| lead.received_at = Some(received_at.clone()));
                self.store(&body, &leads, problem.as_deref()).await
            }
        };
        stored.unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a webhook could not be stored");
            Outcome::NotStored
        })
    }

    /// All secrets are compared, each in the same time however much of it is right.
    fn carries_a_secret(&self, uri: &Uri) -> bool {
        let given = parameter(uri, "secret").unwrap_or_default();
        let matches =
            |secret: &SecretString| secret.expose_secret().as_bytes().ct_eq(given.as_bytes());
        let one = self.secrets.iter().map(matches).fold(Choice::from(0), |one, this| one | this);
        self.secrets.is_empty() || one.into()
    }

    /// Reads a body of which `size` was announced, where there is room for it, and for as long as it is held.
    async fn read(
        &self,
        size: Option<usize>,
        body: Body,
    ) -> Result<(Bytes, SemaphorePermit<'_>), Outcome> {
        let too_large = || {
            tracing::warn!("a webhook over the size limit was refused");
            Outcome::TooLarge
        };
        if size.is_some_and(|size| size > BODY_LIMIT) {
            return Err(too_large());
        }
        // A body of unknown length may become as long as one can be.
        let size = u32::try_from(size.unwrap_or(BODY_LIMIT)).unwrap_or(u32::MAX);
        let Ok(room) = self.room.try_acquire_many(size) else {
            tracing::warn!("a webhook was refused: too many others are being read");
            return Err(Outcome::NotStored);
        };
        match to_bytes(body, BODY_LIMIT).await {
            Ok(body) => Ok((body, room)),
            Err(error) if is_over_limit(&error) => Err(too_large()),
            Err(_) => {
                // Half a webhook is none. The answer asks the sender to repeat it.
                tracing::warn!("a webhook did not arrive whole");
                Err(Outcome::NotStored)
            }
        }
    }

    async fn store(
        &self,
        body: &[u8],
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<Outcome> {
        let ids = in_time(self.inbox.store(body, leads, problem)).await?;
        self.metrics.leads_stored(ids.len());
        let leads: Vec<_> = leads.iter().map(|lead| lead.lead_id).collect();
        match problem {
            None => tracing::info!(?leads, "webhook stored"),
            Some(problem) => {
                tracing::warn!(?leads, problem, "webhook stored, a part of it could not be read");
            }
        }
        Ok(Outcome::Accepted(ids.len()))
    }

    async fn keep(&self, body: &[u8], reason: &str) -> anyhow::Result<Outcome> {
        in_time(self.inbox.store_unparsable(body, reason)).await?;
        let bytes = body.len();
        tracing::warn!(reason, bytes, "a webhook could not be read; its body was kept");
        Ok(Outcome::Unparsable)
    }
}

/// Giving up leaves no half: the transaction is rolled back, or was committed and the repeat is a duplicate.
async fn in_time<T>(storing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(STORE_LIMIT, storing).await {
        Ok(stored) => stored,
        Err(_) => Err(anyhow!("the database did not answer within {STORE_LIMIT:?}")),
    }
}

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

async fn webhook_or_call(State((intake, endpoint)): Receivers, request: Request) -> Response {
    if is_webhook(&request) { intake.receive(request).await } else { endpoint.serve(request).await }
}

/// Inngest posts JSON and names a function.
fn is_webhook(request: &Request) -> bool {
    let media_type =
        text(request.headers(), CONTENT_TYPE).and_then(|value| value.split(';').next());
    let form = "application/x-www-form-urlencoded";
    request.method() == Method::POST
        && media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(form))
        && parameter(request.uri(), "fnId").is_none()
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    text(headers, CONTENT_LENGTH)?.parse().ok()
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn parameter<'u>(uri: &'u Uri, name: &str) -> Option<Cow<'u, str>> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

fn is_over_limit(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}
