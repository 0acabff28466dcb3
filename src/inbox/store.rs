//! The inbox, and group commit: webhooks that come in at the same time share one transaction, and so one wait for the disk.
//!
//! While a transaction is on its way to the disk the next webhooks queue up; they all go into the next one. A burst
//! costs as many syncs as the disk can do, not as many as there are webhooks, and a single webhook waits for no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use functions::webhook::{AmoCrmWebhook, Change};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::repeat::Unanswered;
use super::rows::{InboxCounts, Lead, UnreadableBody, Webhook};
use super::table;
use crate::db::Db;
use crate::deals::{self, Dedupe, OnChange, Report, Rules, Source, key_of_lead};

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
pub(crate) struct Inbox {
    pub(super) db: Db,
    pub(super) rules: Rules,
    unanswered: Unanswered,
    group: Group,
    /// Notified when something was stored.
    pub(super) wake: Arc<Notify>,
}

impl Inbox {
    /// The inbox in `db`. Webhooks are stored by a task, which ends with the last clone.
    pub(crate) fn new(db: Db, rules: Rules) -> Self {
        let group = Group::start(db.clone(), rules.dedupe);
        let unanswered = Unanswered::new(db.clock());
        Self { db, rules, unanswered, group, wake: Arc::default() }
    }

    /// Stores a webhook whole: its body, for each of `leads` an event and the row of its deal, and that the leads of
    /// `changes` were changed. Once this returns, all of it survives a crash. `problem` says what else in the body could not
    /// be read.
    ///
    /// Returns the ids of the rows.
    pub(super) async fn store_with(
        &self,
        content: impl AsRef<[u8]> + Send + 'static,
        leads: &[AmoCrmWebhook],
        changes: BTreeSet<Change>,
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let leads = leads.iter().map(|lead| self.row(lead, Source::Webhook));
        self.keep(content, leads.collect::<Result<_, _>>()?, changes, problem).await
    }

    /// A webhook in which nothing was changed.
    #[cfg(test)]
    pub(crate) async fn store(
        &self,
        content: impl AsRef<[u8]> + Send + 'static,
        leads: &[AmoCrmWebhook],
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        self.store_with(content, leads, BTreeSet::new(), problem).await
    }

    /// Stores leads that reconciliation has found in amoCRM's feed, each with the time at which it was moved, as a webhook
    /// is stored that reports them.
    pub(crate) async fn store_found(
        &self,
        content: Vec<u8>,
        leads: &[(AmoCrmWebhook, Timestamp)],
    ) -> anyhow::Result<()> {
        let leads = leads.iter().map(|(lead, at)| self.row(lead, Source::Feed(*at)));
        let leads = leads.collect::<Result<_, _>>()?;
        self.keep(content, leads, BTreeSet::new(), None).await.map(drop)
    }

    async fn keep(
        &self,
        content: impl AsRef<[u8]> + Send + 'static,
        leads: Vec<Lead>,
        changes: BTreeSet<Change>,
        problem: Option<&str>,
    ) -> anyhow::Result<Vec<String>> {
        let now = self.db.time();
        let fingerprint = match self.rules.dedupe {
            Dedupe::Lead => None,
            Dedupe::Event => Some(Unanswered::fingerprint(content.as_ref())),
        };
        if let Some(earlier) = fingerprint.and_then(|print| self.unanswered.earlier(&print))
            && table::has_body(&self.db, &earlier.body_id).await?
        {
            tracing::info!(ids = ?earlier.ids, "a webhook that was stored late came again");
            return Ok(earlier.ids);
        }
        let ids: Vec<_> = leads.iter().map(|lead| lead.id.clone()).collect();
        let state = if problem.is_some() { "partly" } else { "read" };
        let changes = self.wanted(changes);
        let webhook = Webhook { changes, ..self.webhook(now, content, state, problem, leads) };
        let noting =
            fingerprint.map(|print| self.unanswered.begins(print, webhook.id.clone(), ids.clone()));
        self.group.enter(Item::Webhook(webhook)).await?;
        if let Some(noting) = noting {
            noting.stored();
        }
        self.wake.notify_one();
        Ok(ids)
    }

    /// Keeps a body in which nothing could be read, for a person to look at.
    pub(crate) async fn store_unparsable(
        &self,
        content: impl AsRef<[u8]> + Send + 'static,
        reason: &str,
    ) -> anyhow::Result<()> {
        let now = self.db.time();
        let webhook = self.webhook(now, content, "unparsable", Some(reason), Vec::new());
        self.group.enter(Item::Webhook(webhook)).await
    }

    /// Notes that leads were changed or deleted, with the deals that they have. Nothing is kept of the others.
    pub(crate) async fn note_changes(&self, changes: BTreeSet<Change>) -> anyhow::Result<()> {
        let changes = self.wanted(changes);
        if changes.is_empty() {
            return Ok(());
        }
        self.group.enter(Item::Changes(changes, self.db.time())).await
    }

    /// Those of `changes` that matter, in the order of the keys of their deals.
    fn wanted(&self, changes: BTreeSet<Change>) -> Vec<(String, Change)> {
        let ignored = self.rules.on_change == OnChange::Ignore;
        let wanted = changes.into_iter().filter(|change| change.deleted || !ignored);
        wanted.map(|change| (key_of_lead(change.lead_id, "", self.rules.dedupe), change)).collect()
    }

    /// Proves that a webhook would be stored now, by storing something. A commit within the last second is proof
    /// enough. No deadline is kept here.
    pub(crate) async fn prove_writable(&self) -> anyhow::Result<()> {
        self.db.check()?;
        self.group.prove().await
    }

    /// Ends the claims of a service that is gone: the next one need not wait for them. Only for a service that is
    /// alone on its database; where replicas share it, their claims are alive.
    pub(crate) async fn forget_claims(&self) -> anyhow::Result<()> {
        if self.db.is_shared() { Ok(()) } else { table::forget_claims(&self.db).await }
    }

    /// How many events are in the inbox.
    pub(crate) async fn counts(&self) -> anyhow::Result<InboxCounts> {
        table::counts(&self.db).await
    }

    /// The kept bodies of which something could not be read, newest first.
    pub(crate) async fn unreadable(&self, limit: u32) -> anyhow::Result<Vec<UnreadableBody>> {
        table::unreadable(&self.db, limit).await
    }

    fn row(&self, lead: &AmoCrmWebhook, source: Source) -> anyhow::Result<Lead> {
        let id = self.db.next_id();
        let payload = match self.rules.dedupe {
            Dedupe::Lead => serde_json::to_string(lead)?,
            // What makes it a deal of its own goes with it, also when it is sent again under another id.
            Dedupe::Event => {
                let delivery_id = Some(id.clone());
                serde_json::to_string(&AmoCrmWebhook { delivery_id, ..lead.clone() })?
            }
        };
        let deal_key = key_of_lead(lead.lead_id, &id, self.rules.dedupe);
        let lead_id = i64::try_from(lead.lead_id).context("the lead's id is out of range")?;
        let names_stage = lead.status_id.is_some();
        Ok(Lead { id, deal_key, lead_id, names_stage, payload, source })
    }

    fn webhook(
        &self,
        received_at: Timestamp,
        content: impl AsRef<[u8]> + Send + 'static,
        state: &'static str,
        problem: Option<&str>,
        leads: Vec<Lead>,
    ) -> Webhook {
        let (id, problem) = (self.db.next_id(), problem.map(plain));
        // Not copied, and dropped only here: the content may count what is held in memory.
        let content = Bytes::from_owner(content);
        Webhook { id, received_at, content, state, problem, leads, changes: Vec::new() }
    }
}

/// PostgreSQL takes no NUL in a text.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What waits for the next transaction.
struct Entry {
    item: Item,
    answer: oneshot::Sender<Stored>,
}

/// What is stored.
enum Item {
    Webhook(Webhook),
    /// Leads that were changed, by the keys of their deals.
    Changes(Vec<(String, Change)>, Timestamp),
    /// Nothing: only that something can be stored is to be proven.
    Probe,
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
    fn start(db: Db, dedupe: Dedupe) -> Self {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        let committed: Arc<Mutex<Option<Instant>>> = Arc::default();
        let note = Arc::clone(&committed);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while queue.recv_many(&mut group, LARGEST_GROUP).await > 0 {
                let stored = store(&db, dedupe, &group).await;
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

    /// Proves that a webhook would be stored: by the last one, or else by a write on the same way.
    async fn prove(&self) -> anyhow::Result<()> {
        let committed = *lock(&self.committed);
        if committed.is_some_and(|at| at.elapsed() < PROOF) {
            Ok(())
        } else {
            self.enter(Item::Probe).await
        }
    }

    /// Stores `item`. Once this returns, it survives a crash.
    async fn enter(&self, item: Item) -> anyhow::Result<()> {
        let (answer, stored) = oneshot::channel();
        let gone = || anyhow::anyhow!("the database was closed");
        self.queue.send(Entry { item, answer }).await.map_err(|_| gone())?;
        stored.await.map_err(|_| gone())?.map_err(anyhow::Error::msg)
    }
}

/// Commits the webhooks whose senders still wait, and returns how many of them there was something to write of.
async fn store(db: &Db, dedupe: Dedupe, group: &[Entry]) -> anyhow::Result<usize> {
    // Past it, the senders have given up.
    let mut transaction = db.begin_within(STORE_LIMIT).await?;
    let (mut entries, mut written, mut probe) = (0, 0, false);
    let (mut reported, mut changed) = (BTreeMap::new(), BTreeMap::new());
    // A webhook whose sender has given up was answered 503, and comes again.
    for entry in group.iter().filter(|entry| !entry.answer.is_closed()) {
        let (changes, now) = match &entry.item {
            Item::Probe => {
                (entries, probe) = (entries + 1, true);
                continue;
            }
            Item::Changes(changes, now) => (changes, *now),
            Item::Webhook(webhook) => {
                entries += 1;
                table::insert_body(&mut transaction, webhook).await?;
                for lead in &webhook.leads {
                    let is_new = match (dedupe, lead.source) {
                        (Dedupe::Event, Source::Webhook) => {
                            let now = webhook.received_at;
                            !deals::webhook_came(&mut transaction, lead.lead_id, now).await?
                        }
                        (Dedupe::Event, Source::Feed(_)) | (Dedupe::Lead, _) => true,
                    };
                    if is_new {
                        table::insert_event(&mut transaction, webhook, lead).await?;
                        reported.insert(lead.deal_key.as_str(), (lead, webhook.received_at));
                    }
                }
                (&webhook.changes, webhook.received_at)
            }
        };
        for (key, change) in changes {
            changed.insert((key.as_str(), change.deleted), (*change, now));
        }
    }
    // In the order of their keys, so that two replicas never wait for each other.
    let mut changed = changed.into_iter().peekable();
    for (key, (lead, received_at)) in reported {
        while let Some((_, (change, now))) = changed.next_if(|((of, _), _)| *of < key) {
            written += deals::changed(&mut transaction, change, now).await?;
        }
        let (lead_id, event_name) = (Some(lead.lead_id), AmoCrmWebhook::EVENT_NAME);
        let (payload, names_stage) = (lead.payload.as_str(), lead.names_stage);
        let source = lead.source;
        let report = Report { key, lead_id, event_name, payload, names_stage, source };
        deals::reported(&mut transaction, &report, &lead.id, received_at).await?;
    }
    for (_, (change, now)) in changed {
        written += deals::changed(&mut transaction, change, now).await?;
    }
    if probe {
        table::write_probe(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(entries + usize::try_from(written)?)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
