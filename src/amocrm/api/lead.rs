use functions::ports::{self, Lead};
use serde::Deserialize;
use serde_json::Number;

use super::answer::ApiError;

/// A lead that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amoCRM lead {lead_id} could not be read")]
pub struct LeadError {
    /// Which one.
    pub lead_id: u64,
    /// Why.
    pub source: ApiError,
}

impl From<LeadError> for ports::Error {
    fn from(error: LeadError) -> Self {
        Self::new(error.source.retry(), error)
    }
}

/// The fields that matter. amoCRM adds new ones over time.
#[derive(Deserialize)]
struct WireLead {
    id: u64,
    name: Option<String>,
    price: Option<Number>,
    is_deleted: Option<bool>,
    account_id: Option<u64>,
}

/// Reads the answer to a request for lead `lead_id` of account `account_id`.
pub(in crate::amocrm) fn read(
    body: &[u8],
    lead_id: u64,
    account_id: Option<u64>,
) -> Result<Option<Lead>, ApiError> {
    let lead: WireLead =
        serde_json::from_slice(body).map_err(|error| ApiError::Unreadable(error.to_string()))?;
    if lead.id != lead_id {
        let other = lead.id;
        return Err(ApiError::Mismatch(format!("amoCRM answered with another lead, {other}")));
    }
    if let (Some(ours), Some(theirs)) = (account_id, lead.account_id)
        && ours != theirs
    {
        return Err(ApiError::Mismatch(format!(
            "it belongs to account {theirs}, and AMOCRM_ACCOUNT_ID says {ours}"
        )));
    }
    if lead.is_deleted == Some(true) {
        return Ok(None);
    }
    Ok(Some(Lead { id: lead.id, name: lead.name, price: lead.price }))
}
