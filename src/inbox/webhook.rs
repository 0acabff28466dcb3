//! Which requests are webhooks, and what is done with one: whether it is amoCRM's, its body up to the limit, its leads
//! stored, and only then the answer. No call to the outside is made here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::anyhow;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use functions::webhook::{AmoCrmWebhook, Change, LeadFilter};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode, Uri};
use inngest::Endpoint;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use subtle::{Choice, ConstantTimeEq as _};

use super::read::{BODY_LIMIT, Reader, Reading, Unread};
use super::store::{Inbox, STORE_LIMIT};
use crate::logging::Tally;
use crate::metrics::Metrics;

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

/// Receives webhooks.
pub(crate) struct Intake {
    inbox: Inbox,
    /// A webhook must carry one of them in its URL: the only proof of origin, because amoCRM signs nothing. None:
    /// every webhook is accepted.
    secrets: Vec<SecretString>,
    pub(super) reader: Reader,
    metrics: Metrics,
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
                let why = json!({"error": "over 4 MiB"});
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
    pub(crate) fn new(
        inbox: Inbox,
        secrets: Vec<SecretString>,
        filter: LeadFilter,
        metrics: Metrics,
    ) -> Self {
        let reader = Reader::new(filter);
        Self { inbox, secrets, reader, metrics, forged: Tally::default() }
    }

    /// Receives one webhook. Once the answer is 200, every lead that concerns us is stored durably.
    pub(crate) async fn receive(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        // Before its body is read, so that untrusted clients cannot make the service hold one.
        if !self.secrets.is_empty() && !self.is_meant_by(&parts.uri) {
            if let Some(times) = self.forged.count(self.inbox.db.time()) {
                tracing::warn!(times, "a webhook with a wrong or missing secret was refused");
            }
            return self.answer(Outcome::Unauthorized);
        }
        match self.take_in(&parts.headers, body).await {
            Ok((body, reading)) => self.answer(self.settle(body, reading).await),
            Err(outcome) => self.answer(outcome),
        }
    }

    /// Receives a request that carries no secret and is a webhook, provided that there is no secret to be carried.
    /// Any other one is given back.
    async fn receive_if_webhook(&self, request: Request) -> Result<Response, Request> {
        let too_large = announced(request.headers()).is_some_and(|size| size > BODY_LIMIT);
        if !self.secrets.is_empty() || too_large {
            return Err(request);
        }
        let (parts, body) = request.into_parts();
        match self.take_in(&parts.headers, body).await {
            Ok((body, Reading::Empty | Reading::NoWebhook { .. })) => {
                Err(Request::from_parts(parts, Body::from(body)))
            }
            Ok((body, reading)) => Ok(self.answer(self.settle(body, reading).await)),
            Err(outcome) => Ok(self.answer(outcome)),
        }
    }

    /// Whether a request to `uri` carries a secret. All are compared, each in the same time however much of it is right.
    fn is_meant_by(&self, uri: &Uri) -> bool {
        let given = parameter(uri, "secret").unwrap_or_default();
        let matches =
            |secret: &SecretString| secret.expose_secret().as_bytes().ct_eq(given.as_bytes());
        self.secrets.iter().map(matches).fold(Choice::from(0), |one, this| one | this).into()
    }

    async fn take_in(&self, headers: &HeaderMap, body: Body) -> Result<(Bytes, Reading), Outcome> {
        let reading = self.reader.read(announced(headers), text(headers, CONTENT_TYPE), body);
        reading.await.map_err(|unread| match unread {
            Unread::TooLarge => Outcome::TooLarge,
            Unread::NotWhole => Outcome::NotStored,
        })
    }

    fn answer(&self, outcome: Outcome) -> Response {
        let (name, status, body) = outcome.answer();
        self.metrics.webhook(name);
        (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }

    async fn settle(&self, body: Bytes, reading: Reading) -> Outcome {
        let stored = match reading {
            Reading::Empty => return Outcome::Empty,
            Reading::Ignored => return Outcome::Ignored,
            Reading::NoWebhook { reason } | Reading::Unparsable { reason } => {
                self.keep(body, &reason).await
            }
            Reading::Changes(changes) => {
                in_time(self.inbox.note_changes(changes)).await.map(|()| Outcome::Ignored)
            }
            Reading::Leads { mut leads, changes, problem } => {
                let received_at = format!("{:.3}", self.inbox.db.time());
                leads.iter_mut().for_each(|lead| lead.received_at = Some(received_at.clone()));
                self.store(body, &leads, changes, problem.as_deref()).await
            }
        };
        stored.unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a webhook could not be stored");
            Outcome::NotStored
        })
    }

    async fn store(
        &self,
        body: Bytes,
        leads: &[AmoCrmWebhook],
        changes: BTreeSet<Change>,
        problem: Option<&str>,
    ) -> anyhow::Result<Outcome> {
        let ids = in_time(self.inbox.store_with(body, leads, changes, problem)).await?;
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

    async fn keep(&self, body: Bytes, reason: &str) -> anyhow::Result<Outcome> {
        let bytes = body.len();
        in_time(self.inbox.store_unparsable(body, reason)).await?;
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
