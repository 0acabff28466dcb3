//! The inbox, and group commit: webhooks that come in at the same time share one transaction, and so one wait for the disk.
//!
//! While a transaction is on its way to the disk the next webhooks queue up; they all go into the next one. A burst
//! costs as many syncs as the disk can do, not as many as there are webhooks, and a single webhook waits for no other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use functions::webhook::AmoCrmWebhook;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::rows::{HeldRow, InboxCounts, Lead, ParkedRow, Webhook};
use super::table;
use crate::db::Db;
use crate::deals::notices;

/// The most webhooks in one transaction, which bounds how long it holds the write lock.
const LARGEST_GROUP: usize = 128;

/// How many webhooks may queue. Beyond that, callers wait here, until they give up with a 503.
const QUEUE: usize = 1024;

/// How long storing may take. amoCRM waits two seconds, and a clear 503 is better than no answer: it has
/// the longest series of repeats.
pub(super) const STORE_LIMIT: Duration = Duration::from_millis(1500);

/// How long a commit proves that the next one would succeed.
const PROOF: Duration = Duration::from_secs(1);

/// The leads that were answered 200 and that Inngest does not have yet. Clones share it.
#[derive(Clone)]
pub struct Inbox {
    pub(super) db: Db,
    group: Group,
    /// Notified when something was stored.
    pub(super) wake: Arc<Notify>,
}

impl Inbox {
    /// The inbox in `db`. Webhooks are stored by a task, which ends with the last clone.
    pub fn new(db: Db) -> Self {
        let group = Group::start(db.clone());
        Self { db, group, wake: Arc::default() }
    }

    /// Stores a webhook whole: its body, and one row for each of `leads`. Once this returns, they survive a crash.
    /// `problem` says what else in the body could not be read.
    ///
    /// Returns the ids of the rows.
    pub async fn store(
        &self,
        content: &[u8],
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let now = self.db.clock().now();
        let leads: Vec<_> = leads.iter().map(|lead| self.row(lead)).collect::<Result<_, _>>()?;
        let ids = leads.iter().map(|lead| lead.id.clone()).collect();
        let state = if problem.is_some() { "partly" } else { "read" };
        self.group.store(self.webhook(now, content, state, problem, leads)).await?;
        self.wake.notify_one();
        Ok(ids)
    }

    /// Keeps a body in which nothing could be read, for a person to look at.
    pub async fn store_unparsable(&self, content: &[u8], reason: &str) -> anyhow::Result<()> {
        let now = self.db.clock().now();
        self.group.store(self.webhook(now, content, "unparsable", Some(reason), Vec::new())).await
    }

    /// Proves that a webhook would be stored now, by storing something. A commit within the last second is proof
    /// enough. No deadline is kept here.
    pub async fn prove_writable(&self) -> anyhow::Result<()> {
        self.db.check()?;
        self.group.prove().await
    }

    /// Ends the claims of a service that is gone: the next one need not wait for them. Only for a service that is
    /// alone on its database; where replicas share it, their claims are alive.
    pub(crate) async fn forget_claims(&self) -> anyhow::Result<()> {
        if self.db.is_shared() { Ok(()) } else { table::forget_claims(&self.db).await }
    }

    /// How many leads are in the inbox.
    pub async fn counts(&self) -> anyhow::Result<InboxCounts> {
        table::counts(&self.db).await
    }

    /// The parked leads, newest first.
    pub async fn parked(&self, limit: u32) -> anyhow::Result<Vec<ParkedRow>> {
        table::parked(&self.db, limit).await
    }

    /// The held leads, oldest first: those of `lead`, or all.
    pub async fn held(&self, lead: Option<u64>, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
        table::held(&self.db, lead, limit).await
    }

    /// Makes parked leads due again: `lead`, or all. Returns how many events these are.
    pub async fn unpark(&self, lead: Option<u64>) -> anyhow::Result<u64> {
        let unparked = table::unpark(&self.db, lead).await?;
        self.wake.notify_one();
        Ok(unparked)
    }

    fn row(&self, lead: &AmoCrmWebhook) -> anyhow::Result<Lead> {
        Ok(Lead {
            id: self.db.next_id(),
            lead_id: i64::try_from(lead.lead_id).context("the lead's id is out of range")?,
            payload: serde_json::to_string(lead)?,
        })
    }

    fn webhook(
        &self,
        received_at: Timestamp,
        content: &[u8],
        state: &'static str,
        problem: Option<&str>,
        leads: Vec<Lead>,
    ) -> Webhook {
        let (id, problem) = (self.db.next_id(), problem.map(plain));
        Webhook { id, received_at, content: content.to_vec(), state, problem, leads }
    }
}

/// PostgreSQL takes no NUL in a text.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What waits for the next transaction.
struct Entry {
    /// Nothing: only that something can be stored is to be proven.
    webhook: Option<Webhook>,
    answer: oneshot::Sender<Stored>,
}

type Stored = Result<(), String>;

/// Stores webhooks, several at a time. Clones share the queue.
#[derive(Clone)]
struct Group {
    queue: mpsc::Sender<Entry>,
    /// When the last transaction was committed, unless one has failed since.
    committed: Arc<Mutex<Option<Instant>>>,
}

impl Group {
    /// Begins to store in a task that ends with the last clone.
    fn start(db: Db) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let committed: Arc<Mutex<Option<Instant>>> = Arc::default();
        let note = Arc::clone(&committed);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while queue.recv_many(&mut group, LARGEST_GROUP).await > 0 {
                let stored = store(&db, &group).await;
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
    async fn store(&self, webhook: Webhook) -> anyhow::Result<()> {
        self.enter(Some(webhook)).await
    }

    /// Proves that a webhook would be stored: by the last one, or else by a write on the same way.
    async fn prove(&self) -> anyhow::Result<()> {
        let committed = *lock(&self.committed);
        if committed.is_some_and(|at| at.elapsed() < PROOF) {
            Ok(())
        } else {
            self.enter(None).await
        }
    }

    async fn enter(&self, webhook: Option<Webhook>) -> anyhow::Result<()> {
        let (answer, stored) = oneshot::channel();
        let gone = || anyhow::anyhow!("the database was closed");
        self.queue.send(Entry { webhook, answer }).await.map_err(|_| gone())?;
        stored.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}

/// Commits the webhooks whose senders still wait, and returns how many these were.
async fn store(db: &Db, group: &[Entry]) -> anyhow::Result<usize> {
    // Past it, the senders have given up.
    let mut transaction = db.begin_within(STORE_LIMIT).await?;
    let (mut entries, mut noted, mut probe) = (0, BTreeMap::new(), false);
    // A webhook whose sender has given up was answered 503, and comes again.
    for entry in group.iter().filter(|entry| !entry.answer.is_closed()) {
        entries += 1;
        let Some(webhook) = &entry.webhook else {
            probe = true;
            continue;
        };
        table::insert(&mut transaction, webhook).await?;
        let at = webhook.received_at.as_millisecond();
        noted.extend(webhook.leads.iter().map(|lead| (lead.lead_id, at)));
    }
    notices::note_leads(&mut transaction, &noted).await?;
    if probe {
        table::write_probe(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(entries)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
