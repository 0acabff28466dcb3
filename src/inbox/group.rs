//! Group commit: webhooks that come in at the same time share one transaction, and so one wait for the disk.
//!
//! While a transaction is on its way to the disk the next webhooks queue up; they all go into the next one. A burst
//! costs as many syncs as the disk can do, not as many as there are webhooks, and a single webhook waits for no other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::db::{Pools, Transaction};
use crate::deals::notices::note_leads;

/// The most webhooks in one transaction, which bounds how long it holds the write lock.
const LARGEST_GROUP: usize = 128;

/// How many webhooks may queue. Beyond that, callers wait here, until they give up with a 503.
const QUEUE: usize = 1024;

/// How long a commit proves that the next one would go well.
const PROOF: Duration = Duration::from_secs(1);

/// What the health check writes, in bytes: twice the pages that a usual webhook with its rows and indexes takes, for on a
/// disk that is nearly full a smaller write may still find room where a webhook does not.
const PROBE: usize = 64 * 1024;

/// A webhook as it is stored.
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) received_at: Timestamp,
    pub(crate) content: Vec<u8>,
    pub(crate) state: &'static str,
    pub(crate) problem: Option<String>,
    pub(crate) leads: Vec<AcceptedLead>,
}

/// A lead of it: one row of the inbox.
pub(crate) struct AcceptedLead {
    pub(crate) id: String,
    pub(crate) lead_id: i64,
    pub(crate) payload: String,
}

/// What waits for the next transaction.
struct Entry {
    /// Nothing: only that something can be stored is to be proven.
    webhook: Option<Accepted>,
    answer: oneshot::Sender<Stored>,
}

type Stored = Result<(), String>;

/// Stores webhooks, several at a time. Clones share the queue.
#[derive(Clone)]
pub(crate) struct Group {
    queue: mpsc::Sender<Entry>,
    /// When the last transaction was committed, unless one has failed since.
    committed: Arc<Mutex<Option<Instant>>>,
}

impl Group {
    /// Begins to store in a task that ends with the last clone.
    pub(crate) fn start(pools: Pools) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let committed: Arc<Mutex<Option<Instant>>> = Arc::default();
        let note = Arc::clone(&committed);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while queue.recv_many(&mut group, LARGEST_GROUP).await > 0 {
                let stored = store(&pools, &group).await;
                match &stored {
                    // Committing nothing proves nothing.
                    Ok(0) => {}
                    Ok(_) => *lock(&note) = Some(Instant::now()),
                    Err(_) => *lock(&note) = None,
                }
                let stored = stored.map(drop).map_err(|error| error.to_string());
                for entry in group.drain(..) {
                    // A sender that gave up waiting makes a second delivery of the same webhook.
                    let _ = entry.answer.send(stored.clone());
                }
            }
        });
        Self { queue: sender, committed }
    }

    /// Stores `webhook`. Once this returns, it survives a crash.
    pub(crate) async fn store(&self, webhook: Accepted) -> anyhow::Result<()> {
        self.enter(Some(webhook)).await
    }

    /// Proves that a webhook would be stored: by the last one, or else by a write on the same way.
    pub(crate) async fn prove(&self) -> anyhow::Result<()> {
        let committed = *lock(&self.committed);
        if committed.is_some_and(|at| at.elapsed() < PROOF) {
            Ok(())
        } else {
            self.enter(None).await
        }
    }

    async fn enter(&self, webhook: Option<Accepted>) -> anyhow::Result<()> {
        let (answer, stored) = oneshot::channel();
        let gone = || anyhow::anyhow!("the database was closed");
        self.queue.send(Entry { webhook, answer }).await.map_err(|_| gone())?;
        stored.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}

/// Commits what is still waited for, and returns how much that was.
async fn store(pools: &Pools, group: &[Entry]) -> anyhow::Result<usize> {
    let mut transaction = pools.begin().await?;
    let (mut entries, mut notices, mut probe) = (0, BTreeMap::new(), false);
    // A webhook whose sender has given up was answered 503, and comes again.
    for entry in group.iter().filter(|entry| !entry.answer.is_closed()) {
        entries += 1;
        let Some(webhook) = &entry.webhook else {
            probe = true;
            continue;
        };
        insert(&mut transaction, webhook).await?;
        let at = webhook.received_at.as_millisecond();
        notices.extend(webhook.leads.iter().map(|lead| (lead.lead_id, at)));
    }
    note_leads(&mut transaction, &notices).await?;
    if probe {
        let write = sqlx::query("UPDATE write_probe SET content = $1 WHERE id = 1");
        transaction.execute(write.bind(vec![0; PROBE])).await?;
    }
    transaction.commit().await?;
    Ok(entries)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn insert(transaction: &mut Transaction, webhook: &Accepted) -> sqlx::Result<()> {
    let received_at = webhook.received_at.as_millisecond();
    let body = sqlx::query(
        "INSERT INTO webhook_bodies (id, received_at, content, state, problem) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(webhook.id.as_str())
    .bind(received_at)
    .bind(webhook.content.as_slice())
    .bind(webhook.state)
    .bind(webhook.problem.as_deref());
    transaction.execute(body).await?;
    for lead in &webhook.leads {
        let row = sqlx::query(
            "INSERT INTO inbox (id, body_id, lead_id, payload, received_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(lead.id.as_str())
        .bind(webhook.id.as_str())
        .bind(lead.lead_id)
        .bind(lead.payload.as_str())
        .bind(received_at);
        transaction.execute(row).await?;
    }
    Ok(())
}
