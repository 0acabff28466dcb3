//! Amounts of money, exact to the kopeck, although JSON's fractions are binary.

use serde_json::Number;

/// Up to here the neighbours of a binary fraction are less than a kopeck apart.
const LARGEST_FRACTION: f64 = 7e13;

/// Up to here each whole number has a binary fraction of its own.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// More digits than these are the noise of arithmetic, as in 0.30000000000000004.
const DIGITS: usize = 15;

/// Whether `amount` still says to the kopeck what its sender wrote.
pub fn is_exact(amount: &Number) -> bool {
    let fraction = amount.as_f64().filter(|_| amount.is_f64());
    fraction.is_none_or(|amount| {
        let limit = if amount.fract() == 0.0 { LARGEST_WHOLE } else { LARGEST_FRACTION };
        amount.abs() <= limit
    })
}

/// `amount` in decimal digits: no exponent, no noise, no zeros at the end of a fraction. `0` for every kind of zero.
pub fn decimal(amount: &Number) -> String {
    let Some(fraction) = amount.as_f64().filter(|_| amount.is_f64()) else {
        return amount.to_string();
    };
    let shortest = fraction.to_string();
    let text = if significant(&shortest) > DIGITS { format!("{fraction:.2}") } else { shortest };
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// How many significant digits a decimal number has.
pub fn significant(decimal: &str) -> usize {
    let digits = decimal.bytes().filter(u8::is_ascii_digit);
    digits.skip_while(|digit| *digit == b'0').count()
}

#[cfg(test)]
mod tests {
    use serde_json::Number;

    use super::{decimal, is_exact};

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_is_the_decimal_that_its_sender_meant() {
        for (sent, meant) in [
            ("15000", "15000"),
            ("100.5", "100.5"),
            ("100.50", "100.5"),
            ("100.0", "100"),
            ("0.75", "0.75"),
            ("-5.25", "-5.25"),
            ("0.30000000000000004", "0.3"),
            ("1.1e2", "110"),
            ("1e-7", "0.0000001"),
            ("99.555", "99.555"),
            ("19999999.989999998", "19999999.99"),
            ("123456789012.34", "123456789012.34"),
            ("9007199254740.99", "9007199254740.99"),
            ("69999999999999.99", "69999999999999.99"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e21", "1000000000000000000000"),
            ("0", "0"),
            ("0.0", "0"),
            ("-0.0", "0"),
        ] {
            assert_eq!(decimal(&number(sent)), meant, "{sent}");
        }
    }

    #[test]
    fn an_amount_is_exact_as_long_as_its_kopecks_are() {
        for exact in ["0", "100.5", "69999999999999.99", "1e15", "18446744073709551615", "-7"] {
            assert!(is_exact(&number(exact)), "{exact}");
        }
        for inexact in
            ["70000000000000.01", "99999999999999.99", "1e21", "-1e300", "18446744073709551616"]
        {
            assert!(!is_exact(&number(inexact)), "{inexact}");
        }
    }
}
