//! The data of an `amocrm/webhook` event, as we send it and as others do.

use std::borrow::Cow;

use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};

use super::{Action, LeadFilter, LeadMoved, Parsed, leads_matching, number};

/// The data of an `amocrm/webhook` event in our own form: one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AmoCrmWebhook {
    /// The lead.
    pub lead_id: u64,
    /// The account it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<u64>,
    /// The account's name at the time. Never use it as a host to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// The pipeline the lead entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<u64>,
    /// The stage the lead entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_id: Option<u64>,
    /// The pipeline the lead left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_pipeline_id: Option<u64>,
    /// The stage the lead left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_status_id: Option<u64>,
    /// What happened to the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// When we received the webhook, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
}

/// The event data names no lead. Trying again cannot help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Lead ID not found in webhook data")]
pub struct LeadIdNotFound;

impl AmoCrmWebhook {
    /// The name of the event.
    pub const EVENT_NAME: &'static str = "amocrm/webhook";

    /// The event data for each lead of a body.
    pub fn from_body(body: Parsed, received_at: Option<&str>) -> Vec<Self> {
        let Parsed { account_id, subdomain, leads, .. } = body;
        leads
            .into_iter()
            .map(|lead| {
                let LeadMoved { lead_id, action, .. } = lead;
                Self {
                    lead_id,
                    account_id,
                    subdomain: subdomain.clone(),
                    pipeline_id: lead.pipeline_id,
                    status_id: lead.status_id,
                    old_pipeline_id: lead.old_pipeline_id,
                    old_status_id: lead.old_status_id,
                    action: Some(action),
                    received_at: received_at.map(str::to_owned),
                }
            })
            .collect()
    }

    /// Our own form. Only `leadId` matters; what else is missing or odd is left out.
    fn from_data(data: &Map<String, Value>) -> Option<Self> {
        let id = |name| data.get(name).and_then(value_text).and_then(|text| number(&text));
        let text = |name| data.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            lead_id: id("leadId")?,
            account_id: id("accountId"),
            subdomain: text("subdomain"),
            pipeline_id: id("pipelineId"),
            status_id: id("statusId"),
            old_pipeline_id: id("oldPipelineId"),
            old_status_id: id("oldStatusId"),
            action: data.get("action").and_then(|action| Action::deserialize(action).ok()),
            received_at: text("receivedAt"),
        })
    }
}

/// The leads that the data of an `amocrm/webhook` event names and that `filter` lets through.
///
/// Three forms are known: our own ([`AmoCrmWebhook`]), which has passed the filter when it was received; the
/// pairs of amoCRM's body in `data`, which is how Inngest Cloud's webhook intake hands them on; and the same
/// pairs directly.
pub fn leads_in_event(
    data: &Map<String, Value>,
    filter: &LeadFilter,
) -> Result<Vec<AmoCrmWebhook>, LeadIdNotFound> {
    if let Some(lead) = AmoCrmWebhook::from_data(data) {
        return Ok(vec![lead]);
    }
    let nested = data.get("data").and_then(Value::as_object);
    [nested, Some(data)]
        .into_iter()
        .flatten()
        .map(|pairs| body_of(pairs, filter))
        .find(|body| !body.leads.is_empty() || body.filtered_out > 0)
        .map(|body| AmoCrmWebhook::from_body(body, None))
        .ok_or(LeadIdNotFound)
}

fn body_of(pairs: &Map<String, Value>, filter: &LeadFilter) -> Parsed {
    let pairs: Vec<(&str, Cow<'_, str>)> =
        pairs.iter().filter_map(|(key, value)| Some((key.as_str(), value_text(value)?))).collect();
    leads_matching(pairs.iter().map(|(key, value)| (*key, value.as_ref())), filter)
}

/// A value of a form: a text, a number, or the first of a list of them.
fn value_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Array(values) => values.first().and_then(|first| match first {
            Value::Array(_) => None,
            first => value_text(first),
        }),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}
