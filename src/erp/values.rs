//! What a record is given, as it is sent: what a later state of its lead is compared with.

use std::collections::BTreeMap;

use functions::amount;
use functions::ports::{Deal, Recorded};
use serde::{Deserialize, Serialize};

use super::settings::ErpSettings;
use super::text::stored_text;

/// The values of a record, as the ERP is given them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Values {
    /// The entity of the record: an id alone names a record of another one, too.
    pub(crate) entity: u64,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, String>,
}

impl Values {
    pub(super) fn of(settings: &ErpSettings, deal: &Deal) -> Self {
        let amount = deal.amount.as_ref().map(amount::decimal).filter(|amount| amount != "0");
        let fields = deal.fields.iter();
        Self {
            entity: deal.entity_id.unwrap_or(settings.entity_id),
            name: stored_text(&deal.name),
            amount,
            fields: fields.map(|(field, text)| (field.clone(), stored_text(text))).collect(),
        }
    }

    /// In what `wanted` is otherwise: `name`, `amount`, and fields of the ERP. A field that is not wanted any more is not
    /// ours any more.
    pub(crate) fn differs_from(&self, wanted: &Self) -> Vec<String> {
        let mut differs = Vec::new();
        if self.name != wanted.name {
            differs.push("name".to_owned());
        }
        if self.amount != wanted.amount {
            differs.push("amount".to_owned());
        }
        let held = |field: &str| self.fields.get(field).map_or("", String::as_str);
        let others = wanted.fields.iter().filter(|(field, text)| held(field) != text.as_str());
        differs.extend(others.map(|(field, _)| field.clone()));
        differs
    }

    /// What people are shown of it: the other fields may hold what is personal.
    pub(crate) fn shown(&self) -> Recorded {
        Recorded { name: self.name.clone(), amount: self.amount.clone() }
    }
}
