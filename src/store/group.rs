//! Group commit: webhooks that come in at the same time share one transaction, and so one wait for the disk.
//!
//! While a transaction is on its way to the disk the next webhooks queue up; they all go into the next one. A burst
//! costs as many syncs as the disk can do, not as many as there are webhooks, and a single webhook waits for nobody.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{Any, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::connect::Pools;
use super::cursor::note_leads;

/// The most webhooks in one transaction, which bounds how long it holds the write lock.
const LARGEST_GROUP: usize = 128;

/// How many webhooks may queue. Beyond that, callers wait here, until they give up with a 503.
const QUEUE: usize = 1024;

/// A webhook as it is stored.
pub(super) struct Accepted {
    pub(super) id: String,
    pub(super) received_at: Timestamp,
    pub(super) content: Vec<u8>,
    pub(super) state: &'static str,
    pub(super) problem: Option<String>,
    pub(super) leads: Vec<AcceptedLead>,
}

/// A lead of it: one row of the inbox.
pub(super) struct AcceptedLead {
    pub(super) id: String,
    pub(super) lead_id: i64,
    pub(super) payload: String,
}

type Stored = Result<(), String>;

/// Stores webhooks, several at a time. Clones share the queue.
#[derive(Clone)]
pub(super) struct Group(mpsc::Sender<(Accepted, oneshot::Sender<Stored>)>);

impl Group {
    /// Begins to store in a task that ends with the last clone.
    pub(super) fn start(pools: Pools) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while queue.recv_many(&mut group, LARGEST_GROUP).await > 0 {
                let stored = store(&pools, &group).await.map_err(|error| error.to_string());
                for (_, answer) in group.drain(..) {
                    // Whoever gave up waiting gets a second delivery of the same webhook.
                    let _ = answer.send(stored.clone());
                }
            }
        });
        Self(sender)
    }

    /// Stores `webhook`. Once this returns, it survives a crash.
    pub(super) async fn store(&self, webhook: Accepted) -> anyhow::Result<()> {
        let (answer, stored) = oneshot::channel();
        let gone = || anyhow::anyhow!("the database was closed");
        self.0.send((webhook, answer)).await.map_err(|_| gone())?;
        stored.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}

async fn store(pools: &Pools, group: &[(Accepted, oneshot::Sender<Stored>)]) -> sqlx::Result<()> {
    let mut transaction = pools.begin().await?;
    let mut notices = BTreeMap::new();
    for (webhook, answer) in group {
        // Nobody waits any more: it was answered 503, and comes again.
        if !answer.is_closed() {
            insert(&mut transaction, webhook).await?;
            let at = webhook.received_at.as_millisecond();
            notices.extend(webhook.leads.iter().map(|lead| (lead.lead_id, at)));
        }
    }
    note_leads(&mut transaction, &notices).await?;
    transaction.commit().await
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    webhook: &Accepted,
) -> sqlx::Result<()> {
    let received_at = webhook.received_at.as_millisecond();
    sqlx::query(
        "INSERT INTO webhook_bodies (id, received_at, content, state, problem) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(webhook.id.as_str())
    .bind(received_at)
    .bind(webhook.content.as_slice())
    .bind(webhook.state)
    .bind(webhook.problem.as_deref())
    .execute(&mut **transaction)
    .await?;
    for lead in &webhook.leads {
        sqlx::query(
            "INSERT INTO inbox (id, body_id, lead_id, payload, received_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(lead.id.as_str())
        .bind(webhook.id.as_str())
        .bind(lead.lead_id)
        .bind(lead.payload.as_str())
        .bind(received_at)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
