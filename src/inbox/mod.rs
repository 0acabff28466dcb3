//! A webhook becomes rows, and rows become events: amoCRM is answered once its leads are stored, and what is stored
//! goes to Inngest until Inngest has it.

mod forwarder;
mod group;
mod inngest;
mod pace;
mod read;
mod retention;
mod table;
#[cfg(test)]
mod tests;
mod webhook;

pub use forwarder::Forwarder;
pub use inngest::InngestTransport;
pub use pace::Pace;
pub use retention::{KEEP_BODIES_FOR, purge_daily};
pub(crate) use webhook::is_webhook;
pub use webhook::{BODY_LIMIT, Intake};

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use self::group::Group;
use crate::db::Db;

/// How long a replica may take to send what it has claimed. No other replica gets it in that time; what is not gone by
/// then is due again, for the replica has crashed.
pub const CLAIM: Duration = Duration::from_secs(45);

/// What amoCRM was promised and Inngest does not have yet. Clones share it.
#[derive(Clone)]
pub struct Inbox {
    db: Db,
    group: Group,
    /// Told when something was stored.
    wake: Arc<Notify>,
}

/// A lead that was claimed, to be sent.
struct InboxRow {
    /// The row, and the event made from it.
    id: String,
    /// The data of the event, JSON.
    payload: String,
    /// When the webhook came in, in milliseconds since 1970.
    received_at: i64,
}

/// A lead that Inngest refuses for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// The row.
    pub id: String,
    /// The lead.
    pub lead_id: i64,
    /// When it was given up.
    pub parked_at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A lead that was sent in vain so far, and will be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// The row.
    pub id: String,
    /// The lead.
    pub lead_id: i64,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// How often sending it has failed.
    pub attempts: i64,
    /// Why it failed last.
    pub reason: String,
}

/// What lies in the inbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// Leads that still have to be sent.
    pub waiting: i64,
    /// Leads that Inngest refuses for good.
    pub parked: i64,
    /// Kept bodies of which something could not be read.
    pub unparsable: i64,
    /// When the oldest of the waiting came in.
    pub oldest_waiting: Option<Timestamp>,
}

impl Inbox {
    /// The inbox in `db`. Webhooks are stored by a task, which ends with the last clone.
    pub fn new(db: Db) -> Self {
        let group = Group::start(db.pools.clone());
        Self { db, group, wake: Arc::default() }
    }

    /// Ends the claims of a service that is gone: the next one need not wait for [`CLAIM`]. Only for a service that is
    /// alone on its database; where replicas share it, their claims are alive.
    pub(crate) async fn forget_claims(&self) -> anyhow::Result<()> {
        if self.db.is_shared() { Ok(()) } else { table::forget_claims(&self.db).await }
    }

    /// What lies in the inbox.
    pub async fn counts(&self) -> anyhow::Result<InboxCounts> {
        table::counts(&self.db).await
    }

    /// The leads that were given up, newest first.
    pub async fn parked(&self, limit: u32) -> anyhow::Result<Vec<ParkedRow>> {
        table::parked(&self.db, limit).await
    }

    /// The leads that were sent in vain so far, oldest first: those of `lead`, or all.
    pub async fn held(&self, lead: Option<u64>, limit: u32) -> anyhow::Result<Vec<HeldRow>> {
        table::held(&self.db, lead, limit).await
    }

    /// Makes leads due again that were given up: `lead`, or all. Returns how many events that are.
    pub async fn unpark(&self, lead: Option<u64>) -> anyhow::Result<u64> {
        let unparked = table::unpark(&self.db, lead).await?;
        self.wake.notify_one();
        Ok(unparked)
    }
}
