//! What is written into the inbox, and what is read from it.

use std::time::Duration;

use bytes::Bytes;
use functions::webhook::Change;
use jiff::Timestamp;

use crate::deals::Source;

/// How long a replica may take to send what it has claimed. No other replica gets the rows in that time. Then the claim
/// has expired, because the replica has crashed, and they are due again.
pub(crate) const CLAIM: Duration = Duration::from_secs(45);

/// A webhook as it is stored.
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) received_at: Timestamp,
    pub(super) content: Bytes,
    pub(super) state: &'static str,
    pub(super) problem: Option<String>,
    pub(super) leads: Vec<Lead>,
    /// Leads in it that were changed or deleted, by the keys of their deals.
    pub(super) changes: Vec<(String, Change)>,
}

/// A lead of it: one row of the inbox, which becomes an event.
pub(super) struct Lead {
    pub(super) id: String,
    pub(super) deal_key: String,
    pub(super) lead_id: i64,
    pub(super) names_stage: bool,
    pub(super) payload: String,
    pub(super) source: Source,
}

/// An event that was claimed, to be sent.
pub(super) struct ClaimedRow {
    /// The row, and the event made from it.
    pub(super) id: String,
    /// The name of the event.
    pub(super) name: String,
    /// The data of the event, JSON.
    pub(super) payload: String,
    /// When it was stored, in milliseconds since 1970.
    pub(super) received_at: i64,
}

/// An event that is in the inbox no more.
pub(super) struct RemovedRow {
    /// The deal that it stood for; empty where an earlier version has stored it.
    pub(super) deal_key: String,
    /// The lead of the deal.
    pub(super) lead_id: Option<i64>,
    /// When it was stored, in milliseconds since 1970.
    pub(super) received_at: i64,
    /// How often sending it had failed.
    pub(super) attempts: i64,
}

/// A held event: sent without success so far, and to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldRow {
    /// The row.
    pub id: String,
    /// The deal that it stands for.
    pub deal_key: String,
    /// When it was stored.
    pub received_at: Timestamp,
    /// How often sending it has failed.
    pub attempts: i64,
    /// Why it failed last.
    pub reason: String,
}

/// How many events are in the inbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InboxCounts {
    /// Events that still have to be sent.
    pub waiting: i64,
    /// Kept bodies of which something could not be read.
    pub unparsable: i64,
    /// When the oldest of the waiting came in.
    pub oldest_waiting: Option<Timestamp>,
    /// When the newest webhook came in, of those whose bodies are still kept.
    pub newest_body: Option<Timestamp>,
}

/// A kept body of which something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadableBody {
    /// Its row in the table `webhook_bodies`.
    pub id: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// Its size, as it came.
    pub bytes: i64,
    /// What could not be read, and why.
    pub problem: String,
}
