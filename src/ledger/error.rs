//! Why the ledger did not bring a record. Each text names the deal and what to do.

use std::time::Duration;

use crate::erp::{ErpError, Failure};

/// Why the ledger did not bring a record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The ERP's own answer, which settles what follows.
    #[error(transparent)]
    Erp(ErpError),
    /// The ERP may or may not have created the record; its marker will tell.
    #[error(
        "it is unknown whether the ERP created {deal}: {reason}. The record is looked up in {} s, and sent again only \
         if it is absent",
        wait.as_secs()
    )]
    InDoubt {
        /// The deal.
        deal: String,
        /// What happened.
        reason: String,
        /// How long the record may take to appear.
        wait: Duration,
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
    /// Somebody else is sending it.
    #[error("{deal} is being sent by another run; this one looks again in {} s", wait.as_secs())]
    Busy {
        /// The deal.
        deal: String,
        /// When the other one is done at the latest.
        wait: Duration,
    },
    /// The ledger's own database.
    #[error(
        "{deal} was not sent, because the database did not answer: {source:#}. It is tried again"
    )]
    Store {
        /// The deal.
        deal: String,
        /// What the database said.
        source: anyhow::Error,
    },
}

impl LedgerError {
    /// The error as Inngest needs it: with the decision whether to try again.
    pub fn into_inngest(self) -> inngest::Error {
        match self {
            Self::Erp(error) => error.into_inngest(),
            Self::InDoubt { wait, .. } | Self::Busy { wait, .. } => {
                // A moment early would be too early.
                let wait = wait + Duration::from_secs(1);
                inngest::Error::new(self.to_string()).retry_after(wait)
            }
            Self::Unresolved { .. } => inngest::Error::new(self.to_string()).no_retry(),
            Self::Store { .. } => inngest::Error::new(self.to_string()),
        }
    }

    /// What the ERP said, where it was the ERP.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Erp(error) => Some(&error.failure),
            _ => None,
        }
    }
}
