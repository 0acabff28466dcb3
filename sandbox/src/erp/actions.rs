//! What the API does, with its checks in the real order: switch and key, address, login, action, entity, right, values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pages::failed_query;
use super::php::{plain, shown, stored};
use super::request::{fields, text};
use super::settings::{ErpField, FakeErpSettings, column};
use super::{ErpRow, State};

/// The id of the first record.
const FIRST_ID: u64 = 119;

/// How the API says no.
pub(super) enum Refusal {
    /// An error of its own: a code, which may be a word, and a text.
    Error(String, String),
    /// The page of a query that failed.
    Page(String),
}

impl Refusal {
    fn of(message: impl Into<String>) -> Self {
        Self::Error("500".to_owned(), message.into())
    }

    fn coded(code: &str, message: impl Into<String>) -> Self {
        Self::Error(code.to_owned(), message.into())
    }

    fn denied() -> Self {
        Self::coded("access_denied", "Access denied")
    }
}

/// Does what the request asks for. An error was found before anything was stored.
pub(super) fn act(state: &mut State, request: &Map<String, Value>) -> Result<Value, Refusal> {
    let settings = &state.settings;
    let given = |name: &str| match request.get(name) {
        Some(value) => Ok(value),
        None => Err(Refusal::of(format!("{name} is required"))),
    };
    if !settings.is_enabled {
        return Err(Refusal::of("API is not enabled"));
    }
    if plain(given("key")?) != settings.key {
        return Err(Refusal::of("API Key mismatch"));
    }
    if !settings.address_is_allowed {
        return Err(Refusal::coded("ip_not_allowed", "IP \"10.0.0.7\" is not allowed!"));
    }
    let (username, password) = (plain(given("username")?), plain(given("password")?));
    if username == settings.username && !settings.is_active {
        return Err(Refusal::coded("account_not_active", "Your account is not active"));
    }
    if (username, password) != (settings.username.clone(), settings.password.clone()) {
        return Err(Refusal::coded("login_fail", "No match for Username and/or Password"));
    }
    let action = plain(given("action")?);
    if !["insert", "select", "update", "get_entity_fields"].contains(&action.as_str()) {
        return Err(Refusal::of(format!("action \"{action}\" not exist")));
    }
    let entity_id = plain(given("entity_id")?);
    if action == "update" {
        given("data")?;
        given("update_by_field")?;
    }
    let is_known = entity_id == settings.entity_id.to_string();
    let may = |right: bool| match right || settings.is_administrator {
        true => Ok(()),
        false => Err(Refusal::denied()),
    };
    match action.as_str() {
        "get_entity_fields" if is_known => Ok(entity_fields(settings)),
        "get_entity_fields" => Err(Refusal::of(format!("Entity #{entity_id} does not exist"))),
        "select" => {
            may(is_known && settings.may_view)?;
            if !is_known {
                let reason = format!("1146 - Table 'erp.app_entity_{entity_id}' doesn't exist");
                let query = format!("select e.* from app_entity_{entity_id} e where e.id>0");
                return Err(Refusal::Page(failed_query(settings, &reason, &query)));
            }
            select(state, request)
        }
        _ if !is_known => Err(Refusal::of(format!("entity {entity_id} not found"))),
        "insert" => {
            may(settings.may_create)?;
            insert(state, items(given("items")?)?)
        }
        _ => {
            may(settings.may_update)?;
            update(state, request)
        }
    }
}

fn items(items: &Value) -> Result<&Map<String, Value>, Refusal> {
    // An empty list and an empty object are the same to PHP.
    match items {
        Value::Object(items) if !items.is_empty() => Ok(items),
        Value::Object(_) => Err(Refusal::of("items is ampty")),
        Value::Array(items) if items.is_empty() => Err(Refusal::of("items is ampty")),
        _ => Err(Refusal::of("items is not array")),
    }
}

fn insert(state: &mut State, items: &Map<String, Value>) -> Result<Value, Refusal> {
    let settings = &state.settings;
    let parent = items.get("parent_item_id").map(plain).unwrap_or_default();
    if settings.is_sub_entity && parent.parse().unwrap_or(0) == 0 {
        return Err(Refusal::of("parent_item_id is required"));
    }
    let (mut row, mut taken) = (BTreeMap::new(), Vec::new());
    for (name, value) in items {
        let field = settings.fields.iter().find(|field| field.name == *name);
        if field.is_none() && !["created_by", "parent_item_id"].contains(&name.as_str()) {
            let entity_id = settings.entity_id;
            return Err(Refusal::of(format!("{name} not exist in entity {entity_id}")));
        }
        let value = stored(field, value);
        let is_taken = |row: &ErpRow| row.fields.get(name).map(plain) == Some(plain(&value));
        if field.is_some_and(|field| field.is_unique) && state.rows.iter().any(is_taken) {
            taken.push(json!({"id": column(name), "value": plain(&value)}));
        }
        row.insert(name.clone(), value);
    }
    if !taken.is_empty() {
        return Ok(json!({"id": "", "unique_fields_warning": taken}));
    }
    let id = state.rows.last().map_or(FIRST_ID, |row| row.id + 1);
    state.rows.push(ErpRow { id, fields: row });
    Ok(json!({"id": id.to_string()}))
}

/// Fields that the entity does not have are ignored, and nothing is unique.
fn update(state: &mut State, request: &Map<String, Value>) -> Result<Value, Refusal> {
    let State { settings, rows, .. } = state;
    let wanted = fields(request, "update_by_field");
    let Some((by, value)) = wanted.iter().next() else { return Ok(json!({"id": ""})) };
    if by != "id" && !settings.fields.iter().any(|field| field.name == *by) {
        let entity_id = settings.entity_id;
        return Err(Refusal::of(format!("{by} not exist in entity {entity_id}")));
    }
    let values = match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        value => vec![plain(value)],
    };
    let mut updated = Vec::new();
    for row in rows.iter_mut().filter(|row| values.contains(&held(row, by))) {
        for (name, value) in fields(request, "data") {
            if let Some(field) = settings.fields.iter().find(|field| field.name == name) {
                row.fields.insert(name, stored(Some(field), &value));
            }
        }
        updated.push(row.id.to_string());
    }
    Ok(json!({"id": updated.join(",")}))
}

fn select(state: &State, request: &Map<String, Value>) -> Result<Value, Refusal> {
    let settings = &state.settings;
    let mut filters = fields(request, "filters");
    if settings.ignores_filters {
        filters.clear();
    }
    let mut matching: Vec<&ErpRow> = state.rows.iter().collect();
    for (name, wanted) in &filters {
        let elsewhere = |field: &String| column(field) == name;
        if settings.fields_elsewhere.iter().any(elsewhere) {
            let reason = format!("1054 - Unknown column 'field_{name}' in 'where clause'");
            let query = format!("select e.* from app_entity_70 e where field_{name}='1'");
            return Err(Refusal::Page(failed_query(settings, &reason, &query)));
        }
        let field = settings.fields.iter().find(|field| field.id() == name);
        matching.retain(|row| is_match(row, name, field, wanted));
    }
    if settings.hides_rows {
        matching.clear();
    }
    let limit = text(request, "limit").parse().unwrap_or(usize::MAX);
    let columns = text(request, "select_fields");
    let wanted = |field: &&ErpField| {
        columns.is_empty() || columns.split(',').any(|column| column == field.id())
    };
    let columns: Vec<&ErpField> = settings.fields.iter().filter(wanted).collect();
    let rows = matching.into_iter().take(limit).map(|row| {
        let mut reply = Map::new();
        reply.insert("id".to_owned(), row.id.to_string().into());
        let parent = row.fields.get("parent_item_id").map_or("0".to_owned(), plain);
        reply.insert("parent_item_id".to_owned(), parent.into());
        let author = row.fields.get("created_by").map_or("12".to_owned(), plain);
        reply.insert("created_by".to_owned(), author.into());
        for field in &columns {
            let value = shown(field, &held(row, &field.name));
            reply.insert(field.id().to_owned(), value.into());
        }
        Value::Object(reply)
    });
    Ok(rows.collect())
}

/// Whether a row passes a filter. Unknown fields, empty values and numbers where a text belongs are silently skipped.
fn is_match(row: &ErpRow, name: &str, field: Option<&ErpField>, wanted: &Value) -> bool {
    let text = plain(wanted);
    match (name, field) {
        _ if text.is_empty() => true,
        ("id", _) => text.split(',').any(|id| id.parse() == Ok(row.id)),
        (_, Some(field)) if field.is_numeric() => {
            let number = |text: &str| text.parse::<f64>().unwrap_or_default();
            number(&held(row, &field.name)) == number(&text)
        }
        (_, Some(field)) if wanted.is_string() => {
            held(row, &field.name).to_lowercase() == text.to_lowercase()
        }
        _ => true,
    }
}

fn held(row: &ErpRow, name: &str) -> String {
    match name {
        "id" => row.id.to_string(),
        name => row.fields.get(name).map(plain).unwrap_or_default(),
    }
}

/// An object by id. All values are texts.
fn entity_fields(settings: &FakeErpSettings) -> Value {
    let of_the_system = ["fieldtype_id", "fieldtype_date_added", "fieldtype_created_by"];
    let of_the_system = (1030..).zip(of_the_system);
    let of_the_system = of_the_system
        .map(|(id, kind)| (id.to_string(), described(&id.to_string(), kind, "", false)));
    let own = settings.fields.iter().map(|field| {
        let mut configuration = json!({"allow_search": "1", "width": "input-large"});
        configuration["is_unique"] = if field.is_unique { "1" } else { "0" }.into();
        if field.is_numeric() {
            configuration["number_format"] = field.number_format.as_str().into();
        }
        let configuration = configuration.to_string();
        let id = field.id().to_owned();
        (id.clone(), described(&id, &field.kind, &configuration, field.is_required))
    });
    Value::Object(of_the_system.chain(own).collect())
}

fn described(id: &str, kind: &str, configuration: &str, is_required: bool) -> Value {
    json!({
        "id": id,
        "type": kind,
        "name": format!("Field {id}"),
        "short_name": "",
        "is_heading": "0",
        "tooltip": "",
        "is_required": if is_required { "1" } else { "0" },
        "required_message": "",
        "configuration": configuration,
    })
}
