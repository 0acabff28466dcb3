use functions::amount;
use serde_json::{Number, Value};

/// The price of a lead, from its `price` and its `price_with_minor_units`.
///
/// The second is the exact one, where the account has it; `price` is then cut to whole units. It is not believed where it
/// says nothing and `price` has an amount, nor where it is no number, nor one whose kopecks are lost already.
pub(super) fn price(whole: &Value, exact: &Value) -> Result<Option<Number>, &'static str> {
    let whole = match whole {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        other => Some(number(other).ok_or("its price is no number")?),
    };
    let is_zero = |number: &Number| amount::decimal(number) == "0";
    let nothing_else = whole.as_ref().is_none_or(is_zero);
    let exact =
        number(exact).filter(amount::is_exact).filter(|exact| nothing_else || !is_zero(exact));
    Ok(exact.or(whole).map(tidy))
}

/// A number, also where it is written as text.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Without the noise of a binary fraction, and whole where it is: run results show it.
fn tidy(number: Number) -> Number {
    amount::decimal(&number).parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::price;

    #[test]
    fn the_price_with_minor_units_comes_first() {
        let null = Value::Null;
        for (whole, exact, means) in [
            (json!(15000), null.clone(), json!(15000)),
            (json!(100), json!(100.5), json!(100.5)),
            (json!(100), json!("100.50"), json!(100.5)),
            (json!(0), json!(0.75), json!(0.75)),
            (null.clone(), json!(0.75), json!(0.75)),
            (json!(100), json!(100.0), json!(100)),
            (json!(0), json!(0.300_000_000_000_000_04), json!(0.3)),
            (json!(0), json!(0), json!(0)),
            (json!(100), json!(0), json!(100)),
            (json!(100), json!([]), json!(100)),
            (json!(100), json!("a lot"), json!(100)),
            (json!(100), json!(1e300), json!(100)),
            (json!("15000"), null.clone(), json!(15000)),
            (json!(-5), null.clone(), json!(-5)),
            (json!(""), json!({}), null.clone()),
            (null.clone(), null.clone(), null.clone()),
        ] {
            let read = price(&whole, &exact).map(|price| json!(price));
            assert_eq!(read, Ok(means), "{whole} {exact}");
        }
        assert_eq!(price(&json!({}), &null), Err("its price is no number"));
    }
}
