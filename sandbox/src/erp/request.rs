//! Reading a request as PHP does.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::php::plain;
use super::settings::ErpVersion;

/// The action of an insert that asks and stores nothing.
pub(super) const QUESTION: &str = "question";

/// The parameters of a request; empty when this version cannot read the body.
pub(super) fn parameters(
    version: ErpVersion,
    headers: &HeaderMap,
    body: &[u8],
) -> Map<String, Value> {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/x-www-form-urlencoded") {
        form(body)
    } else if content_type.starts_with("application/json") && version == ErpVersion::V362 {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        Map::new()
    }
}

/// The action of a request, however it is encoded. An insert that can store nothing is a question and no insert.
pub(super) fn action(headers: &HeaderMap, body: &[u8]) -> String {
    let parameters = parameters(ErpVersion::V362, headers, body);
    let items = fields(&parameters, "items");
    match text(&parameters, "action") {
        action if action == "insert" && items.keys().all(|field| field == "field_0") => {
            QUESTION.to_owned()
        }
        action => action,
    }
}

/// The parameter `name` as text; empty when absent.
pub(super) fn text(parameters: &Map<String, Value>, name: &str) -> String {
    parameters.get(name).map(plain).unwrap_or_default()
}

/// The parameter `name` as named values; empty when it is anything else.
pub(super) fn fields(parameters: &Map<String, Value>, name: &str) -> Map<String, Value> {
    parameters.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// A form with at most one level of brackets, which is all that the API uses.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut parameters = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Value::String(value.into_owned());
        match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((name, field)) => {
                let fields = parameters.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Some(fields) = fields.as_object_mut() {
                    fields.insert(field.to_owned(), value);
                }
            }
            None => {
                parameters.insert(name.into_owned(), value);
            }
        }
    }
    parameters
}
