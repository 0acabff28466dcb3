//! Values of amoCRM as texts. Whatever amoCRM sends, it must not make a lead unreadable: what is no such value is none.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Detail;

/// What is saved in Inngest of a text. The ERP's fields take less.
const LONGEST: usize = 1000;

/// The ERP's fields for phone numbers take no more.
const LONGEST_PHONE: usize = 64;

/// amoCRM's dates are midnights of the account's zone, which the answer does not name. Twelve hours later it is the same
/// day everywhere.
const HALF_A_DAY: i64 = 12 * 3600;

/// `text`, cut to what is worth saving.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// A moment, in a form that says its zone.
pub(in crate::amocrm) fn moment(seconds: &Value) -> Option<String> {
    let moment = Timestamp::from_second(seconds.as_i64()?).ok()?;
    Some(moment.to_string())
}

/// The names of all members of a list.
pub(in crate::amocrm) fn names(list: &Value) -> Option<String> {
    joined(list.as_array()?.iter().filter_map(|entry| scalar(&entry["name"])))
}

/// A detail of `entity`, a contact or a company.
pub(in crate::amocrm) fn detail(entity: &Value, detail: Detail) -> Option<String> {
    let fields = &entity["custom_fields_values"];
    match detail {
        Detail::Name => scalar(&entity["name"]),
        Detail::Phone => {
            let phone = all_of(coded(fields, "PHONE")?).next()?;
            Some(phone.chars().take(LONGEST_PHONE).collect())
        }
        Detail::Email => all_of(coded(fields, "EMAIL")?).find(|email| is_email(email)),
        Detail::Custom(id) => custom(fields, id),
    }
}

/// The values of the field `id` in `custom_fields_values`.
pub(in crate::amocrm) fn custom(fields: &Value, id: u64) -> Option<String> {
    joined(all_of(fields.as_array()?.iter().find(|field| field["field_id"] == id)?))
}

fn coded<'a>(fields: &'a Value, code: &str) -> Option<&'a Value> {
    fields.as_array()?.iter().find(|field| field["field_code"] == code)
}

/// The texts of a field with all its values.
fn all_of(field: &Value) -> impl Iterator<Item = String> {
    let kind = field["field_type"].as_str().unwrap_or_default();
    let values = field["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(move |value| {
        let value = &value["value"];
        match (kind, value.as_i64()) {
            ("date" | "birthday", Some(seconds)) => day(seconds),
            ("date_time", Some(_)) => moment(value),
            _ => scalar(value),
        }
    })
}

fn day(midnight: i64) -> Option<String> {
    let noon = Timestamp::from_second(midnight.checked_add(HALF_A_DAY)?).ok()?;
    Some(noon.to_zoned(TimeZone::UTC).date().to_string())
}

fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// Whether `text` is an address and nothing else. The ERP puts the value of an e-mail field into the script of a link,
/// where a quote would end a string of it.
fn is_email(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "@._+-".contains(c);
    text.matches('@').count() == 1 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Detail, custom, detail, moment, names};

    fn field(kind: &str, values: &Value) -> Value {
        json!([null, {"field_id": "7"}, {"field_id": 7, "field_type": kind, "values": values}])
    }

    #[test]
    fn a_field_of_the_account_is_the_text_of_its_values() {
        for (kind, values, text) in [
            ("text", json!([{"value": " Окна "}]), Some("Окна")),
            ("numeric", json!([{"value": "12.50"}]), Some("12.50")),
            ("numeric", json!([{"value": 12.5}]), Some("12.5")),
            ("checkbox", json!([{"value": true}]), Some("true")),
            ("multiselect", json!([{"value": "a", "enum_id": 1}, {"value": "b"}]), Some("a, b")),
            ("tracking_data", json!([{"value": "yandex"}]), Some("yandex")),
            // Midnight of 8 May 2020 in Moscow, in New York and in Kamchatka.
            ("date", json!([{"value": 1_588_885_200}]), Some("2020-05-08")),
            ("date", json!([{"value": 1_588_910_400}]), Some("2020-05-08")),
            ("birthday", json!([{"value": 1_588_852_800}]), Some("2020-05-08")),
            ("date", json!([{"value": "2020-05-08"}]), Some("2020-05-08")),
            ("date_time", json!([{"value": 1_588_885_200}]), Some("2020-05-07T21:00:00Z")),
            ("date", json!([{"value": i64::MAX}]), None),
            ("text", json!([{"value": ""}]), None),
            ("text", json!([{"value": {"name": "a file"}}, 5, {"value": null}]), None),
            ("text", json!({}), None),
        ] {
            let read = custom(&field(kind, &values), 7);
            assert_eq!(read.as_deref(), text, "{kind} {values}");
        }
        for odd in [json!(null), json!([]), json!({"field_id": 7}), json!("x")] {
            assert_eq!(custom(&odd, 7), None, "{odd}");
        }
    }

    #[test]
    fn a_contact_has_one_phone_and_one_address() {
        let contact = json!({"name": "Иван", "custom_fields_values": [
            {"field_id": 1, "field_code": "PHONE", "values": [{"value": "+7 999"}, {"value": "2"}]},
            {"field_id": 2, "field_code": "EMAIL", "values": [
                {"value": "a');alert(1);('@b.ru"}, {"value": "no address"}, {"value": "ivan+1@окна.рф"},
            ]},
            {"field_id": 3, "field_type": "text", "values": [{"value": "директор"}]},
        ]});
        for (what, text) in [
            (Detail::Name, Some("Иван")),
            (Detail::Phone, Some("+7 999")),
            (Detail::Email, Some("ivan+1@окна.рф")),
            (Detail::Custom(3), Some("директор")),
            (Detail::Custom(4), None),
        ] {
            assert_eq!(detail(&contact, what).as_deref(), text, "{what:?}");
            assert_eq!(detail(&json!({"name": null, "custom_fields_values": null}), what), None);
        }
    }

    #[test]
    fn odd_values_are_none() {
        assert_eq!(
            names(&json!([{"name": "a"}, {"name": ""}, 5, {"name": "b"}])),
            Some("a, b".into())
        );
        assert_eq!(names(&json!([])), None);
        assert_eq!(names(&json!("a")), None);
        assert_eq!(moment(&json!("now")), None);
        assert_eq!(moment(&json!(1_585_299_171)).as_deref(), Some("2020-03-27T08:52:51Z"));
    }
}
