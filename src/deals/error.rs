//! Why the ledger did not bring a record. Each text names the deal and what to do.

use std::time::Duration;

use functions::ports;
use jiff::Timestamp;

use crate::erp::{ErpError, Failure};

/// Why the ledger did not bring a record. The texts are kept and read much later, so they name times and not waits, and
/// promise nothing that only Inngest can keep.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The ERP's own answer, which settles what follows.
    #[error(transparent)]
    Erp(ErpError),
    /// The ERP may or may not have created the record; its marker will tell.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. It is not sent again before its record has been looked \
         up, {after:.0} at the earliest; if this run has ended by then, replay it"
    )]
    InDoubt {
        /// The deal.
        deal: String,
        /// What happened.
        reason: String,
        /// A look-up before this time proves nothing.
        after: Timestamp,
        /// How long that is from now.
        wait: Duration,
    },
    /// The ERP may or may not have created the record, and did not answer the question for it.
    #[error(
        "it is unknown whether the ERP created {deal} earlier, and its record could not be looked up: {failure}. Nothing \
         was sent; if this run has ended, replay it"
    )]
    NotLookedUp {
        /// The deal.
        deal: String,
        /// The answer to the look-up.
        failure: Failure,
    },
    /// The ERP may or may not have created the record, and only a person can find out.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. The record may or may not exist, so nothing more is \
         sent. Look for it in entity {entity_id} of the ERP: {advice}"
    )]
    Unresolved {
        /// The deal.
        deal: String,
        /// What is known of the earlier attempt.
        reason: String,
        /// Where to look.
        entity_id: u64,
        /// What to do then.
        advice: String,
    },
    /// Another run is sending it.
    #[error(
        "{deal} is being sent by another run, until {until:.0} at the latest. This one sent nothing; if it has ended and \
         the deal has no record, replay it"
    )]
    Busy {
        /// The deal.
        deal: String,
        /// When the other one is done at the latest.
        until: Timestamp,
        /// How long that is from now.
        wait: Duration,
    },
    /// The ledger's own database.
    #[error(
        "nothing was sent for {deal}, because the database did not answer: {source:#}. If this run has ended, replay it"
    )]
    Db {
        /// The deal.
        deal: String,
        /// What the database said.
        source: anyhow::Error,
    },
}

impl LedgerError {
    /// What the ERP said, where it was the ERP.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Erp(error) => Some(&error.failure),
            Self::NotLookedUp { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

impl From<LedgerError> for ports::Error {
    fn from(error: LedgerError) -> Self {
        let text = error.to_string();
        match error {
            LedgerError::Erp(error) => error.into(),
            // A moment early would be too early.
            LedgerError::InDoubt { wait, .. } | LedgerError::Busy { wait, .. } => {
                Self::not_before(wait + Duration::from_secs(1), text)
            }
            LedgerError::NotLookedUp { failure, .. } => match failure {
                Failure::Refused { .. } => Self::never(text),
                Failure::Unavailable { retry_after: Some(delay), .. } => {
                    Self::not_before(delay, text)
                }
                _ => Self::again(text),
            },
            LedgerError::Unresolved { .. } => Self::never(text),
            LedgerError::Db { .. } => Self::again(text),
        }
    }
}
