//! Readiness, for orchestrators.

use std::time::Duration;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, json};

use crate::amocrm::AmoCrmPort;
use crate::db::Db;
use crate::heartbeat::{Heartbeats, LoopAge};
use crate::http;
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::reconcile::Progress;
use crate::registration::Gate;

/// How long the proof that a webhook would be stored may take.
const PROOF_LIMIT: Duration = Duration::from_secs(2);

/// What the admin listener shows.
#[derive(Clone)]
pub(crate) struct Admin {
    /// The database.
    pub db: Db,
    /// The inbox.
    pub inbox: Inbox,
    /// amoCRM, whose tokens expire.
    pub amocrm: AmoCrmPort,
    /// Whether the loops go round.
    pub heartbeats: Heartbeats,
    /// How far reconciliation has read.
    pub progress: Progress,
    /// Whether Inngest knows the functions.
    pub gate: Gate,
    /// What is counted.
    pub metrics: Metrics,
}

/// Ready means that a webhook would be stored, and that what is stored is worked off. Only a write can tell the first, as a
/// full disk can still be read; the loops tell the second.
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
    let (stored, loops) = (would_be_stored(&admin.inbox).await, admin.heartbeats.ages());
    let late = loops.iter().filter(|age| age.is_late).map(|LoopAge { name, age, .. }| {
        format!("the loop \"{name}\" has not gone round for {} s", age.as_secs())
    });
    let wrong: Vec<_> = stored.err().into_iter().chain(late).collect();
    let loops: Map<_, _> =
        loops.iter().map(|age| (age.name.to_owned(), age.age.as_secs().into())).collect();
    // What is stored may wait for Inngest, so that is told and decides nothing.
    let inngest = admin.gate.describe();
    if wrong.is_empty() {
        let body = json!({ "status": "ready", "loops": loops, "inngest": inngest });
        return http::json(StatusCode::OK, &body);
    }
    let reason = wrong.join("; ");
    tracing::error!(reason, "not ready");
    let body =
        json!({ "status": "not ready", "reason": reason, "loops": loops, "inngest": inngest });
    http::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

async fn would_be_stored(inbox: &Inbox) -> Result<(), String> {
    let error = match tokio::time::timeout(PROOF_LIMIT, inbox.prove_writable()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("the database did not answer within {PROOF_LIMIT:?}"),
    };
    Err(format!("a webhook could not be stored: {error}"))
}
