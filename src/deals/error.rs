//! Why the ledger did not bring a record. Each text names the deal and what to do.

use std::time::Duration;

use functions::ports::{self, DealKey, Retry};
use jiff::Timestamp;

use super::key::Entry;
use crate::erp::ErpError;

/// Why the ledger did not bring a record. The texts are kept and read much later, so they name times and not waits, and
/// promise nothing that only Inngest can keep.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The ERP has created nothing, and said why.
    #[error("{}", not_created(deal, error))]
    NotCreated { deal: String, error: ErpError },
    /// The ERP may or may not have created the record; its marker shows it, but not before `after`.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. It is not sent again before its record has been looked \
         up, {after:.0} at the earliest; if this run has ended by then, replay it"
    )]
    InDoubt { deal: String, reason: String, after: Timestamp, wait: Duration },
    /// The ERP may or may not have created the record, and did not answer the question for it.
    #[error(
        "it is unknown whether the ERP created {deal} earlier, and its record could not be looked up: {error}. Nothing \
         was sent; if this run has ended, replay it"
    )]
    NotLookedUp { deal: String, error: ErpError },
    /// The ERP may or may not have created the record, and only a person can find out.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. The record may or may not exist, so nothing more is \
         sent. Look for it in entity {entity_id} of the ERP: {advice}"
    )]
    Unresolved { deal: String, reason: String, entity_id: u64, advice: String },
    /// Another run is sending it.
    #[error(
        "{deal} is being sent by another run, until {until:.0} at the latest. This one sent nothing; if it has ended and \
         the deal has no record, replay it"
    )]
    Busy { deal: String, until: Timestamp, wait: Duration },
    /// The ledger's own database.
    #[error(
        "nothing was sent for {deal}, because the database did not answer: {source:#}. If this run has ended, replay it"
    )]
    Db { deal: String, source: anyhow::Error },
    /// There is no ERP to send it to.
    #[error(
        "nothing was sent for {deal}, because the ERP is not configured: set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME \
         and CRM_API_PASSWORD, then replay this run"
    )]
    NoErp { deal: String },
}

fn not_created(deal: &str, error: &ErpError) -> String {
    match error {
        ErpError::Refused { message, advice } => {
            format!("the ERP refused {deal}: \"{message}\". {advice}")
        }
        ErpError::NoAccess { message } => format!(
            "the ERP refused access to create {deal}: \"{message}\". Nothing was created. Check CRM_API_KEY, \
             CRM_API_USERNAME, CRM_API_PASSWORD, the rights of that user and the ERP's list of allowed addresses; if \
             this run has ended by then, replay it"
        ),
        ErpError::Unavailable { reason, .. } => format!(
            "the ERP could not take {deal}: {reason}. Nothing was created by this call; if this run has ended, replay it"
        ),
    }
}

impl LedgerError {
    pub(super) fn not_created(entry: &Entry, error: ErpError) -> Self {
        Self::NotCreated { deal: entry.name.clone(), error }
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
        let advice = match (entry.lead_id, &entry.deal.key) {
            (Some(lead), DealKey::Lead { .. }) => format!(
                "if it is there, run `prometei-flow deals resolve --lead {lead} --erp-id <its id>`; if not, run \
                 `prometei-flow deals resolve --lead {lead} --absent` and replay this run"
            ),
            // A replay is another deal.
            _ => "if it is absent, replay this run".to_owned(),
        };
        Self::Unresolved { deal: entry.name.clone(), reason: reason.into(), entity_id, advice }
    }

    pub(super) fn db(entry: &Entry, source: anyhow::Error) -> Self {
        Self::Db { deal: entry.name.clone(), source }
    }
}

impl From<LedgerError> for ports::Error {
    fn from(error: LedgerError) -> Self {
        let retry = match &error {
            LedgerError::NotCreated { error, .. } | LedgerError::NotLookedUp { error, .. } => {
                match error {
                    ErpError::Refused { .. } => Retry::Never,
                    ErpError::Unavailable { retry_after: Some(delay), .. } => {
                        Retry::NotBefore(*delay)
                    }
                    ErpError::Unavailable { retry_after: None, .. } | ErpError::NoAccess { .. } => {
                        Retry::Again
                    }
                }
            }
            // A moment early would be too early.
            LedgerError::InDoubt { wait, .. } | LedgerError::Busy { wait, .. } => {
                Retry::NotBefore(*wait + Duration::from_secs(1))
            }
            LedgerError::Unresolved { .. } | LedgerError::NoErp { .. } => Retry::Never,
            LedgerError::Db { .. } => Retry::Again,
        };
        // As a text: the text names its cause already.
        Self::new(retry, error.to_string())
    }
}

fn remaining(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}
