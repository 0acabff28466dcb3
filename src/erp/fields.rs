//! Which fields an entity has, as the ERP lists them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::column;
use super::response::text_of;
use super::settings::ErpSettings;

/// Those of the configured fields that are not in the list; `None` when there is nothing in it that looks like a field.
pub(super) fn unknown(reply: &Value, settings: &ErpSettings) -> Option<Vec<String>> {
    let mut known = BTreeSet::new();
    collect(reply.get("data")?, &mut known);
    if known.is_empty() {
        return None;
    }
    let wanted = [&settings.field_deal_name, &settings.field_amount];
    let wanted = wanted.into_iter().chain(&settings.field_external_id);
    Some(wanted.filter(|field| !known.contains(column(field))).cloned().collect())
}

/// A list of objects with an `id`, or such objects by id, perhaps in groups (the tabs of a form).
fn collect(list: &Value, known: &mut BTreeSet<String>) {
    match list {
        Value::Array(items) => {
            for item in items {
                match item.get("id").and_then(text_of) {
                    Some(id) => note(&id, known),
                    None => collect(item, known),
                }
            }
        }
        Value::Object(items) => {
            for (key, item) in items {
                note(key, known);
                match item.get("id").and_then(text_of) {
                    Some(id) => note(&id, known),
                    None if item.is_array() => collect(item, known),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

fn note(id: &str, known: &mut BTreeSet<String>) {
    let id = column(id);
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        known.insert(id.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::collect;

    fn ids(list: &Value) -> Vec<String> {
        let mut known = BTreeSet::new();
        collect(list, &mut known);
        known.into_iter().collect()
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
}
