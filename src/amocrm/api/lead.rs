use functions::ports::Lead;
use serde::Deserialize;
use serde_json::Value;

use super::answer::ApiError;
use super::call::ApiCall;
use super::client::AmoCrmClient;
use super::price::price;

/// A lead that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amoCRM lead {lead_id} could not be read")]
pub(in crate::amocrm) struct LeadError {
    /// Which one.
    pub(in crate::amocrm) lead_id: u64,
    /// Why.
    pub(in crate::amocrm) source: ApiError,
}

/// The fields that matter. amoCRM adds new ones over time.
#[derive(Deserialize)]
struct WireLead {
    id: u64,
    name: Option<String>,
    #[serde(default)]
    price: Value,
    #[serde(default)]
    price_with_minor_units: Value,
    is_deleted: Option<bool>,
    account_id: Option<u64>,
    /// Whatever they are, they must not make a lead unreadable that does not need them.
    #[serde(default)]
    pipeline_id: Value,
    #[serde(default)]
    status_id: Value,
}

impl AmoCrmClient {
    /// Reads one lead; `None` when amoCRM knows no such lead, deleted it, or does not show it to us.
    pub(in crate::amocrm) async fn lead(&self, lead_id: u64) -> Result<Option<Lead>, LeadError> {
        let path = format!("/api/v4/leads/{lead_id}");
        let read = self.read(&ApiCall::look_for(&path)).await;
        let lead = read.and_then(|lead| self.checked(lead_id, lead));
        lead.map_err(|source| LeadError { lead_id, source })
    }

    /// The lead that amoCRM answered with, provided that it is the one that was asked for.
    fn checked(&self, lead_id: u64, lead: Option<WireLead>) -> Result<Option<Lead>, ApiError> {
        let Some(lead) = lead else { return Ok(None) };
        if lead.id != lead_id {
            let other = lead.id;
            return Err(ApiError::Mismatch(format!("amoCRM answered with another lead, {other}")));
        }
        if let (Some(ours), Some(theirs)) = (self.settings().account_id, lead.account_id)
            && ours != theirs
        {
            return Err(ApiError::Mismatch(format!(
                "it belongs to account {theirs}, and AMOCRM_ACCOUNT_ID says {ours}"
            )));
        }
        let exists = lead.is_deleted != Some(true);
        let price = price(&lead.price, &lead.price_with_minor_units)
            .map_err(|problem| ApiError::Unreadable(problem.to_owned()))?;
        let stage = lead.pipeline_id.as_u64().zip(lead.status_id.as_u64());
        Ok(exists.then_some(Lead { id: lead.id, name: lead.name, price, stage }))
    }
}
