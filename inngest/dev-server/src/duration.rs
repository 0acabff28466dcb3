//! Durations as function configurations and ops write them (P-089).

use std::time::Duration;

/// Milliseconds, as times are counted here.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Reads one or more `<number><unit>` with the units ns, us, ms, s, m, h, d and w, such as `1s500ms` or `1.5d`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    parse_with(text, unit_seconds)
}

/// The form that batch timeouts need: no days or weeks (P-081).
pub(crate) fn parse_go(text: &str) -> Option<Duration> {
    parse_with(text, |unit| unit_seconds(unit).filter(|_| !matches!(unit, "d" | "w")))
}

fn parse_with(text: &str, seconds: impl Fn(&str) -> Option<f64>) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        total += number.parse::<f64>().ok()? * seconds(unit)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok()).flatten()
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in
            [("0", 0), ("2s", 2000), ("1s500ms", 1500), ("1.5s", 1500), ("1d", 86_400_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "1500", "1y", "1M", "P1D", "-1s", "s", "1 s"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse_go("1d"), None);
        assert_eq!(parse_go("2m"), Some(Duration::from_secs(120)));
    }
}
