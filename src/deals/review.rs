//! What a person sees of the deals that have no record, and which of them a person means.

use jiff::Timestamp;

use functions::ports::WaitsFor;

use super::key;

/// Where a deal without a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its event waits for Inngest.
    Waiting,
    /// Inngest has its event.
    Forwarded,
    /// It is being sent to the ERP at this moment.
    Sending,
    /// The record may exist: nothing is sent before that is known.
    InDoubt,
    /// Its last run has failed.
    Failed,
}

/// A deal without a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnfinishedDeal {
    /// `lead:<id>`, `lead:<id>:event:<id>` or `run:<id>`.
    pub key: String,
    /// The amoCRM lead, if it comes from one.
    pub lead_id: Option<i64>,
    /// The run that worked on it last.
    pub run_id: Option<String>,
    /// Its newest event.
    pub event_id: Option<String>,
    /// Where it is.
    pub progress: Progress,
    /// What has to change before it is sent again.
    pub waits_for: Option<WaitsFor>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// When it is sent again, or no sooner than when.
    pub due_at: Option<Timestamp>,
    /// When it was first reported.
    pub created_at: Timestamp,
    /// When something happened to it last.
    pub updated_at: Timestamp,
}

/// How many deals are in which state. One deal may count as several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DealCounts {
    /// Deals that have their record.
    pub done: i64,
    /// Deals that have none yet.
    pub unfinished: i64,
    /// Unfinished deals whose last attempt failed.
    pub failed: i64,
    /// Unfinished deals of which it is not known whether they have a record.
    pub in_doubt: i64,
    /// Unfinished deals that wait for a person.
    pub needs_person: i64,
    /// Deals whose records differ from their leads, or could not be compared with them.
    pub differing: i64,
}

/// Where a deal can be. One that is `changed` is `done` as well: its record differs from its lead, or could not be compared.
pub(crate) const DEAL_STATES: [&str; 7] =
    ["waiting", "forwarded", "sending", "in_doubt", "failed", "changed", "done"];

/// Deals that are in the same state and wait for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DealState {
    /// One of [`DEAL_STATES`].
    pub(crate) state: &'static str,
    /// What has to change before they go on, where it is not time alone.
    pub(crate) waits_for: Option<WaitsFor>,
    /// How many they are.
    pub(crate) deals: i64,
    /// When the oldest of them was first reported; of those that are `changed`, when that was seen first. Of what is done it
    /// is not read.
    pub(crate) oldest: Option<Timestamp>,
}

/// The deals that a person means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every one.
    All,
    /// Those of a lead.
    Lead(u64),
    /// The one with this key.
    Key(String),
}

impl Which {
    /// The deals of a lead; with the id of an event the one of that event.
    pub(crate) fn lead(lead_id: u64, event_id: Option<&str>) -> Self {
        match event_id {
            None => Self::Lead(lead_id),
            Some(event) => Self::Key(key::key_of_lead(lead_id, event, key::Dedupe::Event)),
        }
    }

    /// The deal of a `crm/create-deal` event, by its first run.
    pub(crate) fn run(run_id: &str) -> Self {
        Self::Key(key::key_of_run(run_id))
    }
}

/// What a person found in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// The record, by its id.
    Exists(String),
    /// No record.
    Absent,
}
