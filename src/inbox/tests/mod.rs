//! The inbox: what amoCRM was promised is stored, and reaches Inngest, once and without fail.

mod commits;
mod crash;
mod forwarder;
mod refusals;
mod rows;
mod webhooks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use functions::webhook::{Action, AmoCrmWebhook};

use crate::clock::ManualClock;

/// How long a test waits for what must happen. Nothing is measured against it.
const DEADLINE: Duration = Duration::from_secs(60);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-22T10:00:00.125Z".parse().unwrap()))
}

/// What a webhook says of a lead that has moved.
fn moved(lead_id: u64) -> AmoCrmWebhook {
    AmoCrmWebhook {
        lead_id,
        account_id: Some(1),
        subdomain: None,
        pipeline_id: None,
        status_id: None,
        old_pipeline_id: None,
        old_status_id: None,
        action: Some(Action::Status),
        received_at: None,
    }
}

/// Asks until there is an answer.
async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let (started, mut pause) = (Instant::now(), tokio::time::interval(Duration::from_millis(5)));
    while started.elapsed() < DEADLINE {
        pause.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
    panic!("not within {DEADLINE:?}: {what}");
}
