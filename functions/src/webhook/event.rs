//! The data of an `amocrm/webhook` event, as we send it and as others do.

use std::borrow::Cow;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::body::{AmoCrmWebhook, Fields, LeadFilter, Parsed, number};
use super::brackets::Action;

/// The event data names no lead. Trying again cannot help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Lead ID not found in webhook data")]
pub struct LeadIdNotFound;

impl AmoCrmWebhook {
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
            delivery_id: text("deliveryId"),
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
        .map(|body| body.leads)
        .ok_or(LeadIdNotFound)
}

fn body_of(pairs: &Map<String, Value>, filter: &LeadFilter) -> Parsed {
    // Inngest bounds the size of an event, and nothing that is left out here would be seen again.
    let mut fields = Fields::new(usize::MAX);
    for (key, value) in pairs {
        if let Some(value) = value_text(value) {
            fields.add(key, &value);
        }
    }
    fields.parsed(filter)
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
