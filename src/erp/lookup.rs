//! Looking a record up by its marker. The ERP skips a filter that it does not like and returns the whole table, so
//! every row must prove itself.

use serde_json::Value;

use super::call::column;
use super::response::{record_id, text_of};

/// What is known of the record of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MarkerLookup {
    /// It exists: the ERP's id of it, the lowest one if there are several.
    Found(String),
    /// It does not exist, as far as the ERP shows us its records.
    Absent,
    /// The answer cannot be relied on: neither insert nor take the record for existing.
    Untrusted(String),
}

/// Reads the reply to a select by `marker`.
pub(super) fn read(reply: &Value, marker: &str, lead_id: u64) -> MarkerLookup {
    let Some(rows) = reply.get("data").and_then(Value::as_array) else {
        return MarkerLookup::Untrusted("the ERP's reply has no list of records".to_owned());
    };
    let marker = column(marker);
    let wanted = lead_id.to_string();
    let mut ids = Vec::new();
    for row in rows {
        match row.get(marker).and_then(text_of) {
            Some(value) if is_marker(&value, &wanted) => {}
            Some(value) => {
                return MarkerLookup::Untrusted(format!(
                    "asked for field {marker} = {wanted}, the ERP returned a record with \"{value}\" there. \
                     Check that the field exists in the entity and is a text"
                ));
            }
            None => {
                return MarkerLookup::Untrusted(format!(
                    "the ERP returned a record without field {marker}. Check that the field exists in the \
                     entity and that the API user may see it"
                ));
            }
        }
        let Some(id) = row.get("id").and_then(record_id) else {
            return MarkerLookup::Untrusted("the ERP returned a record without an id".to_owned());
        };
        ids.push(id);
    }
    if ids.len() > 1 {
        tracing::warn!(lead_id, ?ids, "the ERP holds several records of one lead");
    }
    // Shorter ids are lower ones: leading zeros do not occur.
    match ids.into_iter().min_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b))) {
        Some(id) => MarkerLookup::Found(id),
        None => MarkerLookup::Absent,
    }
}

/// Whether a field that shows `value` holds `wanted`. A numeric field shows it with decimals, as in `45721099.00`. More than
/// two could be thousands of a longer number.
fn is_marker(value: &str, wanted: &str) -> bool {
    let value = value.trim();
    let decimals = value.strip_prefix(wanted).and_then(|rest| rest.strip_prefix(['.', ',']));
    value == wanted || decimals.is_some_and(|decimals| matches!(decimals, "0" | "00"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MarkerLookup, read};

    #[test]
    fn only_rows_that_carry_the_marker_count() {
        let found = |id: &str| MarkerLookup::Found(id.to_owned());
        let look = |data| read(&json!({"status": "success", "data": data}), "field_1041", 45721053);

        assert_eq!(look(json!([])), MarkerLookup::Absent);
        assert_eq!(look(json!([{"id": "119", "1041": "45721053"}])), found("119"));
        assert_eq!(look(json!([{"id": 119, "1041": 45721053}])), found("119"));
        assert_eq!(
            look(json!([{"id": "119", "1041": "45721053"}, {"id": "98", "1041": "45721053"}])),
            found("98")
        );
        for shown in ["45721053.00", "45721053,00", "45721053.0", " 45721053 "] {
            assert_eq!(look(json!([{"id": "119", "1041": shown}])), found("119"), "{shown}");
        }
        for untrusted in [
            json!([{"id": "1", "1041": "45721053.01"}]),
            json!([{"id": "1", "1041": "45721053,000"}]),
            json!([{"id": "1", "1041": "45,721,053.00"}]),
            json!([{"id": "1", "1041": "4572105300"}]),
            json!([{"id": "1", "1041": "45721053."}]),
            json!([{"id": "1", "1041": "7"}]),
            json!([{"id": "119", "1041": "45721053"}, {"id": "1", "1041": ""}]),
            json!([{"id": "1", "1040": "45721053"}]),
            json!([{"id": "1", "1041": "45 721 053"}]),
            json!([{"id": "", "1041": "45721053"}]),
            json!(null),
        ] {
            let result = look(untrusted.clone());
            assert!(matches!(result, MarkerLookup::Untrusted(_)), "{untrusted}: {result:?}");
        }
    }
}
