//! Why the ledger did not bring a record. Each text names the deal and what to do.

use std::time::Duration;

use functions::ports::{self, Retry, WaitsFor};
use jiff::Timestamp;

use super::key::Entry;
use crate::erp::{ErpError, SET_ERP};

/// Why the ledger did not bring a record. The texts are kept and read much later: they name times and not waits, and say
/// what a person must do only where nothing happens by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The ERP has created nothing, and said why.
    #[error("{}", not_created(deal, options, error))]
    NotCreated { deal: String, options: String, error: ErpError },
    /// The ERP may or may not have created the record; its marker shows it, but not before `after`.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. Its record is looked up, {after:.0} at the earliest, \
         before anything is sent again"
    )]
    InDoubt { deal: String, reason: String, after: Timestamp, wait: Duration },
    /// The ERP may or may not have created the record, and did not answer the question for it.
    #[error(
        "it is unknown whether the ERP created {deal} earlier, and its record could not be looked up: {error}. Nothing \
         is sent before that"
    )]
    NotLookedUp { deal: String, error: ErpError },
    /// The ERP may or may not have created the record, and only a person can find out.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. The record may or may not exist, so nothing more is \
         sent. Look for it in entity {entity_id} of the ERP. If it is there, run `prometei-flow deals resolve {options} \
         --erp-id <its id>`; if not, run `prometei-flow deals resolve {options} --absent`, and the deal is sent again"
    )]
    Unresolved { deal: String, options: String, reason: String, entity_id: u64 },
    /// Another run is sending it.
    #[error(
        "{deal} is being sent by another run, until {until:.0} at the latest; this one sent nothing"
    )]
    Busy { deal: String, until: Timestamp, wait: Duration },
    /// The record exists and was not updated, and the ERP said why.
    #[error("{}", not_updated(deal, options, record, error))]
    NotUpdated { deal: String, options: String, record: String, error: ErpError },
    /// The record exists and was updated, or not. It is written again, but not before `after`: the update may still arrive.
    #[error(
        "it is unknown whether record {record} of {deal} was updated: {reason}. It is written again, {after:.0} at the \
         earliest"
    )]
    UpdateUnclear { deal: String, record: String, reason: String, after: Timestamp, wait: Duration },
    /// The ledger's own database.
    #[error("nothing was sent for {deal}, because the database did not answer: {source:#}")]
    Db { deal: String, source: anyhow::Error },
    /// There is no ERP to send it to.
    #[error(
        "nothing was sent for {deal}, because the ERP is not configured: {SET_ERP}, then run `prometei-flow deals \
         retry {options}`"
    )]
    NoErp { deal: String, options: String },
}

fn not_created(deal: &str, options: &str, error: &ErpError) -> String {
    match error {
        ErpError::Refused { message, advice } => format!(
            "the ERP refused {deal}: \"{message}\". {advice}. Then run `prometei-flow deals retry {options}`"
        ),
        ErpError::NoAccess { message, barrier } => format!(
            "the ERP refused access to create {deal}: {message}. Nothing was created. {}",
            barrier.advice()
        ),
        ErpError::Unavailable { reason, .. } => {
            format!("the ERP could not take {deal}: {reason}. Nothing was created by this call")
        }
    }
}

fn not_updated(deal: &str, options: &str, record: &str, error: &ErpError) -> String {
    match error {
        ErpError::Refused { message, .. } => format!(
            "the ERP refused to update record {record} of {deal}: \"{message}\". The record is unchanged. Correct what \
             the ERP names, then run `prometei-flow deals retry {options}`"
        ),
        ErpError::NoAccess { message, barrier } => format!(
            "the ERP refused access to update record {record} of {deal}: {message}. The record is unchanged. {}",
            barrier.advice()
        ),
        ErpError::Unavailable { reason, .. } => format!(
            "the ERP could not update record {record} of {deal}: {reason}. The record is unchanged by this call"
        ),
    }
}

impl LedgerError {
    pub(super) fn not_updated(entry: &Entry, record: &str, error: ErpError) -> Self {
        let (deal, options) = (entry.name.clone(), entry.options.clone());
        Self::NotUpdated { deal, options, record: record.to_owned(), error }
    }

    pub(super) fn update_unclear(
        entry: &Entry,
        record: &str,
        reason: String,
        after: Timestamp,
        now: Timestamp,
    ) -> Self {
        let (deal, record) = (entry.name.clone(), record.to_owned());
        Self::UpdateUnclear { deal, record, reason, after, wait: remaining(after, now) }
    }

    pub(super) fn not_created(entry: &Entry, error: ErpError) -> Self {
        let (deal, options) = (entry.name.clone(), entry.options.clone());
        Self::NotCreated { deal, options, error }
    }

    pub(super) fn in_doubt(
        entry: &Entry,
        reason: impl Into<String>,
        after: Timestamp,
        now: Timestamp,
    ) -> Self {
        let (deal, reason) = (entry.name.clone(), reason.into());
        Self::InDoubt { deal, reason, after, wait: remaining(after, now) }
    }

    pub(super) fn busy(entry: &Entry, until: Timestamp, now: Timestamp) -> Self {
        Self::Busy { deal: entry.name.clone(), until, wait: remaining(until, now) }
    }

    pub(super) fn unresolved(entry: &Entry, reason: impl Into<String>, entity_id: u64) -> Self {
        let (deal, options) = (entry.name.clone(), entry.options.clone());
        Self::Unresolved { deal, options, reason: reason.into(), entity_id }
    }

    pub(super) fn db(entry: &Entry, source: anyhow::Error) -> Self {
        Self::Db { deal: entry.name.clone(), source }
    }

    /// What has to change before the deal is worth another try. `None`: nothing but time.
    pub(super) fn waits_for(&self) -> Option<WaitsFor> {
        match self {
            Self::NotCreated { error, .. }
            | Self::NotUpdated { error, .. }
            | Self::NotLookedUp { error, .. } => match error {
                ErpError::Refused { .. } => Some(WaitsFor::Person),
                ErpError::Unavailable { .. } | ErpError::NoAccess { .. } => Some(WaitsFor::Erp),
            },
            Self::Unresolved { .. } | Self::NoErp { .. } => Some(WaitsFor::Person),
            Self::InDoubt { .. }
            | Self::UpdateUnclear { .. }
            | Self::Busy { .. }
            | Self::Db { .. } => None,
        }
    }
}

impl From<LedgerError> for ports::Error {
    fn from(error: LedgerError) -> Self {
        let retry = match &error {
            LedgerError::NotCreated { error, .. }
            | LedgerError::NotUpdated { error, .. }
            | LedgerError::NotLookedUp { error, .. } => match error {
                ErpError::Refused { .. } => Retry::Never,
                ErpError::Unavailable { retry_after: Some(delay), .. } => Retry::NotBefore(*delay),
                ErpError::Unavailable { retry_after: None, .. } | ErpError::NoAccess { .. } => {
                    Retry::Again
                }
            },
            // A moment early would be too early.
            LedgerError::InDoubt { wait, .. }
            | LedgerError::UpdateUnclear { wait, .. }
            | LedgerError::Busy { wait, .. } => Retry::NotBefore(*wait + Duration::from_secs(1)),
            LedgerError::Unresolved { .. } | LedgerError::NoErp { .. } => Retry::Never,
            LedgerError::Db { .. } => Retry::Again,
        };
        let waits_for = error.waits_for();
        // As a text: the text names its cause already.
        let error = Self::new(retry, error.to_string());
        match waits_for {
            Some(waits_for) => error.waiting_for(waits_for),
            None => error,
        }
    }
}

fn remaining(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}
