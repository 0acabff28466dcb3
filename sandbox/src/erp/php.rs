//! Values as PHP and the ERP's database turn them into text.

use serde_json::{Number, Value};

use super::settings::ErpField;

/// A scalar as PHP turns it into text.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number_text(number),
        Value::Bool(true) => "1".to_owned(),
        Value::Null | Value::Bool(false) => String::new(),
        Value::Array(_) | Value::Object(_) => "Array".to_owned(),
    }
}

/// Whole numbers keep all their digits, other numbers 14 of them (PHP's `precision`).
fn number_text(number: &Number) -> String {
    const DIGITS: i32 = 14;
    if let Some(whole) = number.as_i64() {
        return whole.to_string();
    }
    let value = number.as_f64().unwrap_or_default();
    let scientific = format!("{value:.0$e}", DIGITS as usize - 1);
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if (-4..DIGITS).contains(&exponent) {
        // The same digits, rounded at the same place.
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or_default();
        let text = format!("{value:.decimals$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent:+}")
}

/// What the column of `field` holds of `value`. A number stays a number unless PHP has changed it, so that tests may compare
/// it with one.
pub(super) fn stored(field: Option<&ErpField>, value: &Value) -> Value {
    let text = plain(value);
    if let Value::Number(number) = value
        && text.parse() == Ok(number.as_f64().unwrap_or_default())
    {
        return value.clone();
    }
    let longest = match field.map(|field| (field.kind.as_str(), field.is_numeric())) {
        Some(("fieldtype_input", _)) => 255,
        Some((_, true)) => 64,
        _ => usize::MAX,
    };
    Value::String(match text.as_str() {
        // SQL's NULL, in a column that has none, and the time of day.
        "null" => String::new(),
        "now()" => "2026-11-22 10:00:00".to_owned(),
        // The ERP switches MySQL's strict mode off: what is too long is cut without a word.
        text => text.chars().take(longest).collect(),
    })
}

/// How `select` shows what a column holds.
pub(super) fn shown(field: &ErpField, held: &str) -> String {
    let formatted = match (field.is_numeric(), held.parse::<f64>()) {
        (true, Ok(number)) if !field.number_format.is_empty() => {
            number_format(number, &field.number_format)
        }
        _ => held.to_owned(),
    };
    without_tags(&formatted).trim().to_owned()
}

/// `decimals/decimal separator/thousands separator`, where `*` stands for none.
fn number_format(number: f64, format: &str) -> String {
    let format = format.replace('*', "");
    let mut parts = format.split('/');
    let decimals = parts.next().and_then(|decimals| decimals.parse().ok()).unwrap_or_default();
    let (point, thousands) = (parts.next().unwrap_or("."), parts.next().unwrap_or_default());
    let text = format!("{:.decimals$}", number.abs());
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let mut shown = if number < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            shown.push_str(thousands);
        }
        shown.push(digit);
    }
    if !decimals.is_empty() {
        shown.push_str(point);
        shown.push_str(decimals);
    }
    shown
}

fn without_tags(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    kept + rest
}
