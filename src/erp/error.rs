use std::time::Duration;

use functions::ports::{self, Deal, DealKey, Retry};

/// Why a call did not bring a record, and what that means for the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The ERP said no, to this deal or to the configuration. Trying again cannot help.
    #[error("refused: \"{message}\". {advice}")]
    Refused {
        /// The ERP's own words.
        message: String,
        /// What a person should do.
        advice: &'static str,
    },
    /// The ERP did not let us in. Nothing was created; it can work once the access is corrected.
    #[error("no access: \"{message}\"")]
    Credentials {
        /// The ERP's own words.
        message: String,
    },
    /// The ERP could not take the call. Nothing was created; it can work later.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long the ERP asked to wait.
        retry_after: Option<Duration>,
    },
    /// The record may have been created, or not. Trying again blindly may create a second one.
    #[error("outcome unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl Failure {
    /// The same failure of a call that only reads: whatever happened, asking again is safe.
    pub(super) fn of_reading(self, retry_after: Option<Duration>) -> Self {
        match self {
            Self::Unknown { reason } => Self::Unavailable { reason, retry_after },
            other => other,
        }
    }
}

/// A deal that did not reach the ERP, or perhaps did. The text says which deal, what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct ErpError {
    /// What happened and what follows from it.
    pub failure: Failure,
    deal: String,
    entity_id: u64,
}

impl ErpError {
    pub(super) fn new(failure: Failure, deal: &Deal, entity_id: u64) -> Self {
        Self { failure, deal: label(deal), entity_id }
    }

    fn text(&self) -> String {
        let Self { failure, deal, entity_id } = self;
        match failure {
            Failure::Refused { message, advice } => {
                format!("the ERP refused {deal}: \"{message}\". {advice}")
            }
            Failure::Credentials { message } => format!(
                "the ERP did not let us in to create {deal}: \"{message}\". Nothing was created. Check \
                 CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, the rights of that user and the ERP's list \
                 of allowed addresses; if this run has ended by then, replay it"
            ),
            Failure::Unavailable { reason, .. } => format!(
                "the ERP could not take {deal}: {reason}. Nothing was created by this call; if this run has \
                 ended, replay it"
            ),
            Failure::Unknown { reason } => format!(
                "it is unknown whether the ERP created {deal}: {reason}. The record may or may not exist, so the \
                 call is not repeated. Look for it in entity {entity_id} of the ERP; if it is absent, create it \
                 by hand or replay this run"
            ),
        }
    }
}

impl From<ErpError> for ports::Error {
    fn from(error: ErpError) -> Self {
        let retry = match error.failure {
            Failure::Refused { .. } | Failure::Unknown { .. } => Retry::Never,
            Failure::Unavailable { retry_after: Some(delay), .. } => Retry::NotBefore(delay),
            Failure::Unavailable { .. } | Failure::Credentials { .. } => Retry::Again,
        };
        Self::new(retry, error)
    }
}

/// The deal as a person would look for it.
pub fn label(deal: &Deal) -> String {
    const LONGEST_NAME: usize = 80;
    let name: String = super::text::normalise(&deal.name).chars().take(LONGEST_NAME).collect();
    match &deal.key {
        DealKey::Lead { lead_id, .. } => format!("deal \"{name}\" (amoCRM lead {lead_id})"),
        DealKey::Run(run) => format!("deal \"{name}\" (run {run})"),
    }
}
