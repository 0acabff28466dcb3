//! What reconciliation needs: amoCRM's own record of what happened, and a memory of how far it was read.

use std::collections::BTreeSet;
use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Result;
use crate::webhook::Action;

/// amoCRM's own record of what happened to leads.
pub trait LeadFeed: Send + Sync + 'static {
    /// One page, from 1, of the events in `window` that can put a lead into a stage.
    fn page(&self, window: &FeedWindow, page: u32)
    -> impl Future<Output = Result<FeedPage>> + Send;

    /// Where a lead is now. An error means that no lead can be read at the moment.
    fn look(&self, lead_id: u64) -> impl Future<Output = Result<Sight>> + Send;
}

/// What reconciliation remembers, durably. Every method may be called again after it has succeeded.
pub trait ReconcileLog: Send + Sync + 'static {
    /// What a new run must read first: where the last one stopped half-way, or else from before the end of what was
    /// read. `None` when there is nothing.
    fn begin(&self) -> impl Future<Output = Result<Option<FeedWindow>>> + Send;

    /// Those of `events` that no run has settled, and whose lead no webhook has reported since.
    fn news(&self, events: Vec<LeadEvent>) -> impl Future<Output = Result<Vec<LeadEvent>>> + Send;

    /// Hands these leads on, as if a webhook had reported them, and settles their events.
    fn report(&self, leads: &[LeadEvent]) -> impl Future<Output = Result<()>> + Send;

    /// Notes that leads were changed or deleted, with the deals that they have.
    fn changed(&self, events: &[LeadEvent]) -> impl Future<Output = Result<()>> + Send;

    /// Those of `merges` that no run has settled, and that name a lead which has a deal.
    fn merges(&self, merges: Vec<Merge>) -> impl Future<Output = Result<Vec<Merge>>> + Send;

    /// Gives what the leads `gone` had to `survivor`, of which they have become a part, and settles the event.
    fn merged(
        &self,
        merge: &Merge,
        survivor: u64,
        gone: &[u64],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Settles events that turned out to be of no concern.
    fn dismiss(&self, events: &[LeadEvent]) -> impl Future<Output = Result<()>> + Send;

    /// `window` was read to its end. Returns what the same run must read next.
    fn advance(
        &self,
        window: &FeedWindow,
    ) -> impl Future<Output = Result<Option<FeedWindow>>> + Send;

    /// The run ends within `window`; the next one begins there.
    fn leave_off(&self, window: &FeedWindow) -> impl Future<Output = Result<()>> + Send;
}

/// A stretch of time in whole seconds, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedWindow {
    /// Its first second.
    pub from: Timestamp,
    /// Its last second.
    pub to: Timestamp,
    /// The page to go on with, from 1.
    pub page: u32,
    /// It was read before, and is part of the long look back that is taken once a day.
    pub sweep: bool,
    /// When the run began that reads it: what amoCRM shows later than that is not in it.
    pub begun: Timestamp,
}

impl FeedWindow {
    /// How many seconds it has.
    pub fn seconds(&self) -> i64 {
        self.to.as_second().saturating_sub(self.from.as_second()).saturating_add(1)
    }

    /// Its first `seconds`, at least one, from their first page.
    #[must_use]
    pub fn first(&self, seconds: i64) -> Self {
        let length = SignedDuration::from_secs(seconds.max(1) - 1);
        let to = self.from.saturating_add(length).unwrap_or(self.to).min(self.to);
        Self { to, page: 1, ..self.clone() }
    }

    /// Its first half; all of it where it is a single second.
    #[must_use]
    pub fn halved(&self) -> Self {
        let seconds = self.seconds();
        if seconds > 1 { self.first(seconds / 2) } else { self.clone() }
    }
}

/// One page of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedPage {
    /// The events on it that can have put a lead into a stage, as far as they can be read.
    pub events: Vec<LeadEvent>,
    /// Leads that were changed or deleted.
    pub changes: Vec<LeadEvent>,
    /// Leads that became a part of another one.
    pub merges: Vec<Merge>,
    /// There may be another page.
    pub more: bool,
}

/// Several leads became one.
///
/// amoCRM does not document which of the leads that it names stays: the one that it still shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The event.
    pub event: LeadEvent,
    /// Every lead that it names.
    pub leads: BTreeSet<u64>,
}

/// What is seen of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It is in this stage, a (pipeline, status).
    In((u64, u64)),
    /// amoCRM shows no such lead.
    Absent,
    /// amoCRM does not say where this lead is.
    Unclear,
}

/// Something that happened to a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadEvent {
    /// amoCRM's id of the event.
    pub id: String,
    /// What happened.
    pub action: Action,
    /// The lead.
    pub lead_id: u64,
    /// The account.
    pub account_id: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// The (pipeline, status) that the lead entered, where the event says so.
    pub stage: Option<(u64, u64)>,
}
