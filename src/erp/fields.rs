//! Which fields an entity has, as the ERP lists them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::column;
use super::response::text_of;

/// The fields of an entity, by their bare numbers. Old versions may say no more of one than that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityFields(BTreeMap<String, Option<Field>>);

/// What the ERP says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its type, for instance `fieldtype_input`.
    pub(crate) kind: String,
    /// The ERP's forms want a value.
    pub(crate) is_required: bool,
    /// The ERP refuses a value that another record has.
    pub(crate) is_unique: bool,
    /// How numbers are shown: decimals, decimal separator, thousands separator, with `*` for none. Empty: as they are.
    pub(crate) number_format: String,
}

impl EntityFields {
    /// `None` when there is nothing in the list that looks like a field.
    pub(super) fn read(reply: &Value) -> Option<Self> {
        let mut known = BTreeMap::new();
        collect(reply.get("data")?, &mut known);
        (!known.is_empty()).then_some(Self(known))
    }

    /// Whether the entity has the field, for instance `field_1039`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.contains_key(column(field))
    }

    /// What the ERP says of the field.
    pub(crate) fn get(&self, field: &str) -> Option<&Field> {
        self.0.get(column(field))?.as_ref()
    }

    /// The fields that the ERP's forms want, by their names.
    pub(crate) fn required(&self) -> impl Iterator<Item = String> {
        let required = self
            .0
            .iter()
            .filter(|(_, field)| field.as_ref().is_some_and(|field| field.is_required));
        required.map(|(id, _)| format!("field_{id}"))
    }
}

/// An object by id, a list of objects with an `id`, or either in groups (the tabs of a form).
fn collect(list: &Value, known: &mut BTreeMap<String, Option<Field>>) {
    match list {
        Value::Array(items) => {
            for item in items {
                match item.get("id").and_then(text_of) {
                    Some(id) => note(&id, item, known),
                    None => collect(item, known),
                }
            }
        }
        Value::Object(items) => {
            for (key, item) in items {
                match item.get("id").and_then(text_of) {
                    Some(id) => note(&id, item, known),
                    None if item.is_array() => collect(item, known),
                    None => note(key, item, known),
                }
            }
        }
        _ => {}
    }
}

fn note(id: &str, item: &Value, known: &mut BTreeMap<String, Option<Field>>) {
    let id = column(id);
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        known.insert(id.to_owned(), described(item));
    }
}

fn described(item: &Value) -> Option<Field> {
    let text = |value: &Value, name| value.get(name).and_then(text_of).unwrap_or_default();
    let is_set = |text: String| !text.is_empty() && text != "0";
    // A text that holds JSON; empty for fields of the system.
    let configuration = serde_json::from_str(&text(item, "configuration")).unwrap_or(Value::Null);
    Some(Field {
        kind: item.get("type").and_then(text_of)?,
        is_required: is_set(text(item, "is_required")),
        is_unique: is_set(text(&configuration, "is_unique")),
        number_format: text(&configuration, "number_format"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{EntityFields, Field};

    fn ids(data: &Value) -> Vec<String> {
        let fields = EntityFields::read(&json!({ "data": data }));
        fields.map(|fields| fields.0.into_keys().collect()).unwrap_or_default()
    }

    #[test]
    fn fields_are_found_in_every_likely_form() {
        for list in [
            json!([{"id": "1039", "name": "Название"}, {"id": 1040}]),
            json!({"1039": {"name": "Название"}, "field_1040": "Сумма"}),
            json!({"tab": [{"id": "1039"}, {"id": "1040"}]}),
        ] {
            assert_eq!(ids(&list), ["1039", "1040"], "{list}");
        }
        assert!(ids(&json!("none")).is_empty() && ids(&json!([1, null])).is_empty());
    }

    #[test]
    fn a_configuration_is_a_text_of_json() {
        let field = |configuration: &str| {
            let field = json!({
                "id": "1040", "type": "fieldtype_input_numeric", "is_required": "1", "configuration": configuration,
            });
            let fields = EntityFields::read(&json!({"data": {"1040": field}})).unwrap();
            assert_eq!(fields.required().collect::<Vec<_>>(), ["field_1040"]);
            fields.get("field_1040").cloned().unwrap()
        };
        let numeric = |is_unique, number_format: &str| Field {
            kind: "fieldtype_input_numeric".to_owned(),
            is_required: true,
            is_unique,
            number_format: number_format.to_owned(),
        };
        let plain = numeric(false, "");
        let formatted = r#"{"number_format":"2\/.\/*","is_unique":"1"}"#;
        assert_eq!(field(formatted), numeric(true, "2/./*"));
        assert!(field(r#"{"is_unique":2}"#).is_unique, "for each parent, to its forms");
        for configuration in ["", "[]", "{", r#"{"is_unique":"0"}"#, r#"{"is_unique":""}"#] {
            assert_eq!(field(configuration), plain, "{configuration}");
        }
    }
}
