//! What a lead leads to: its contacts, its company, its pipeline.

use axum::response::Response;
use http::Uri;
use serde_json::{Value, json};

use super::answers::{json_answer, nothing};
use super::{FakeAmoCrm, STAGE, State};
use crate::server::lock;

impl FakeAmoCrm {
    /// Lead `id` has these members instead of those of the same names.
    pub fn change_lead(&self, id: u64, members: Value) {
        let mut state = lock(&self.state);
        let lead = state.leads.get_mut(&id).and_then(Value::as_object_mut);
        if let (Some(lead), Value::Object(members)) = (lead, members) {
            lead.extend(members);
        }
    }

    /// The account has this contact, with these values of its own fields.
    pub fn set_contact(&self, id: u64, name: &str, custom_fields_values: &Value) {
        self.set_entity("contacts", id, name, custom_fields_values);
    }

    /// The account has this company, with these values of its own fields.
    pub fn set_company(&self, id: u64, name: &str, custom_fields_values: &Value) {
        self.set_entity("companies", id, name, custom_fields_values);
    }

    /// The account has no such contact (any more).
    pub fn remove_contact(&self, id: u64) {
        lock(&self.state).entities.remove(&("contacts", id));
    }

    fn set_entity(&self, kind: &'static str, id: u64, name: &str, custom_fields_values: &Value) {
        let mut state = lock(&self.state);
        let account_id = state.settings.account_id;
        let entity = json!({
            "id": id, "name": name, "first_name": "", "last_name": "", "responsible_user_id": 504_141,
            "is_deleted": false, "custom_fields_values": custom_fields_values, "account_id": account_id,
            "_embedded": {"tags": [], "companies": []},
        });
        state.entities.insert((kind, id), entity);
    }
}

/// The lead as the API shows it: its contacts only where `with` asks for them.
pub(super) fn shown(lead: &Value, uri: &Uri) -> Value {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut with = query.filter(|(name, _)| name == "with");
    let mut lead = lead.clone();
    if !with.any(|(_, names)| names.split(',').any(|name| name == "contacts"))
        && let Some(embedded) = lead["_embedded"].as_object_mut()
    {
        embedded.remove("contacts");
    }
    lead
}

/// A contact, a company or a pipeline; `None` when `path` leads to something else.
pub(super) fn answer(state: &State, path: &str) -> Option<Response> {
    let (kind, id) = path.strip_prefix("/api/v4/")?.rsplit_once('/')?;
    let id = id.parse().ok()?;
    let found = match kind {
        "contacts" => state.entities.get(&("contacts", id)).cloned(),
        "companies" => state.entities.get(&("companies", id)).cloned(),
        "leads/pipelines" => (id == STAGE.0).then(|| pipeline(state.settings.account_id)),
        _ => return None,
    };
    Some(found.map_or_else(nothing, |entity| json_answer(200, &entity)))
}

/// The one pipeline of the account.
fn pipeline(account_id: u64) -> Value {
    let stage =
        |id: u64, name: &str| json!({"id": id, "name": name, "pipeline_id": STAGE.0, "type": 0});
    json!({
        "id": STAGE.0, "name": "Продажи", "is_main": true, "is_archive": false, "account_id": account_id,
        "_embedded": {"statuses": [
            stage(77_186_754, "Переговоры"), stage(STAGE.1, "Договор подписан"),
            stage(142, "Успешно реализовано"), stage(143, "Закрыто и не реализовано"),
        ]},
    })
}
