//! The inbox: a lead that was answered 200 is stored, and reaches Inngest exactly once.

mod commits;
mod crash;
mod deals;
mod forms;
mod forwarder;
mod inngest;
mod readiness;
mod refusals;
mod room;
mod rows;
mod silence;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use functions::ports::WaitsFor;
use functions::webhook::{Action, AmoCrmWebhook};
use sandbox::{DEADLINE, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::inngest::Inngest;
use super::{Forwarder, Inbox, InboxCounts, Pace};
use crate::clock::ManualClock;
use crate::db::testing::Database;
use crate::deals::{Rules, Which, retry, unfinished};
use crate::heartbeat::{Heartbeat, Heartbeats};
use crate::metrics::Metrics;
use crate::registration::Gate;

/// An inbox and an Inngest.
struct Service {
    inbox: Inbox,
    inngest: Inngest,
    metrics: Metrics,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
    database: Database,
    _stop: DropGuard,
}

impl Service {
    /// One that forwards nothing yet.
    async fn new() -> Self {
        let (database, clock, stop) = (Database::new().await, clock(), CancellationToken::new());
        Self {
            inbox: Inbox::new(database.open(clock.clone()).await, Rules::default()),
            inngest: Inngest::new(),
            metrics: Metrics::new(),
            clock,
            _stop: stop.clone().drop_guard(),
            stop,
            database,
        }
    }

    /// One that forwards.
    async fn running() -> Self {
        let service = Self::new().await;
        service.forwards();
        service
    }

    fn forwarder(&self) -> Forwarder {
        Forwarder {
            inbox: self.inbox.clone(),
            inngest: self.inngest.client(),
            metrics: self.metrics.clone(),
            gate: Gate::open(),
            pace: Pace {
                poll: Duration::from_secs(3600),
                first_retry: Duration::from_millis(10),
                longest_retry: Duration::from_millis(40),
            },
        }
    }

    fn forwards(&self) -> JoinHandle<()> {
        tokio::spawn(self.forwarder().run(heartbeat(), self.stop.clone()))
    }

    async fn stores(&self, leads: impl IntoIterator<Item = u64>) -> Vec<String> {
        let leads: Vec<_> = leads.into_iter().map(moved).collect();
        self.inbox.store(b"body", &leads, None).await.unwrap()
    }

    async fn counts(&self) -> InboxCounts {
        self.inbox.counts().await.unwrap()
    }

    async fn until_nothing_waits(&self) {
        eventually("nothing waits", async || (self.counts().await.waiting == 0).then_some(()))
            .await;
    }

    async fn until_accepted(&self, leads: &[u64]) {
        eventually("Inngest has them", async || (self.inngest.leads() == leads).then_some(()))
            .await;
    }

    /// A person has mended the cause.
    async fn retries(&self, which: &Which) {
        let mut transaction = self.inbox.db.begin().await.unwrap();
        retry(&mut transaction, which, self.inbox.db.now()).await.unwrap();
        transaction.commit().await.unwrap();
        self.inbox.resend(&[]).await.unwrap();
    }

    /// The leads whose events Inngest refuses, and why.
    async fn refused(&self) -> Vec<(i64, String)> {
        refused(&self.inbox).await
    }
}

/// The leads whose events Inngest refuses, and why.
async fn refused(inbox: &Inbox) -> Vec<(i64, String)> {
    let deals = unfinished(&inbox.db, 100_000).await.unwrap().into_iter();
    let deals = deals.filter(|deal| deal.waits_for == Some(WaitsFor::Person));
    deals.map(|deal| (deal.lead_id.unwrap(), deal.reason.unwrap())).collect()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-22T10:00:00.125Z".parse().unwrap()))
}

fn heartbeat() -> Heartbeat {
    Heartbeats::new(clock()).of("forwarder")
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
        delivery_id: None,
    }
}
