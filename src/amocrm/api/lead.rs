use functions::ports::Lead;
use serde::Deserialize;
use serde_json::Value;

use super::answer::ApiError;
use super::call::ApiCall;
use super::client::AmoCrmClient;
use super::price::price;

/// A lead, a contact or a company that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amoCRM {kind} {id} could not be read")]
pub(in crate::amocrm) struct ReadError {
    /// What it is.
    pub(in crate::amocrm) kind: &'static str,
    /// Which one.
    pub(in crate::amocrm) id: u64,
    /// Why.
    pub(in crate::amocrm) source: ApiError,
}

/// The fields that matter. amoCRM adds new ones over time. Those that are of any type must not make a lead unreadable that
/// does not need them.
#[derive(Deserialize)]
pub(super) struct WireLead {
    pub(super) id: u64,
    name: Option<String>,
    #[serde(default)]
    price: Value,
    #[serde(default)]
    price_with_minor_units: Value,
    is_deleted: Option<bool>,
    account_id: Option<u64>,
    #[serde(default)]
    pub(super) pipeline_id: Value,
    #[serde(default)]
    pub(super) status_id: Value,
    #[serde(default)]
    pub(super) responsible_user_id: Value,
    #[serde(default)]
    pub(super) created_at: Value,
    #[serde(default)]
    pub(super) custom_fields_values: Value,
    #[serde(default, rename = "_embedded")]
    pub(super) embedded: Value,
}

impl AmoCrmClient {
    /// Reads one lead; `None` when amoCRM knows no such lead, deleted it, or does not show it to us.
    pub(in crate::amocrm) async fn lead(&self, lead_id: u64) -> Result<Option<Lead>, ReadError> {
        let lead = self.read_lead(lead_id).await;
        lead.map_err(|source| ReadError { kind: "lead", id: lead_id, source })
    }

    async fn read_lead(&self, lead_id: u64) -> Result<Option<Lead>, ApiError> {
        let path = format!("/api/v4/leads/{lead_id}");
        let mut call = ApiCall::look_for(&path);
        if self.settings().mapping.uses_contact() {
            call = call.query(vec![("with".to_owned(), "contacts".to_owned())]);
        }
        let Some(lead) = self.read(&call).await? else { return Ok(None) };
        self.check(lead_id, &lead)?;
        if lead.is_deleted == Some(true) {
            return Ok(None);
        }
        let price = price(&lead.price, &lead.price_with_minor_units)
            .map_err(|problem| ApiError::Unreadable(problem.to_owned()))?;
        let stage = lead.pipeline_id.as_u64().zip(lead.status_id.as_u64());
        let more = self.more(&lead).await?;
        Ok(Some(Lead { id: lead.id, name: lead.name, price, stage, more }))
    }

    /// Whether amoCRM answered with the lead that was asked for.
    fn check(&self, lead_id: u64, lead: &WireLead) -> Result<(), ApiError> {
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
        Ok(())
    }
}
