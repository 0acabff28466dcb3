//! Schedules: five fields, as the server reads them (P-077).

use std::ops::RangeInclusive;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What keeps `schedule` from being one; `None` when it is good.
pub(super) fn flaw(schedule: &str) -> Option<String> {
    let fields: [(&str, RangeInclusive<u8>, u8, &[&str]); 5] = [
        ("minute", 0..=59, 0, &[]),
        ("hour", 0..=23, 0, &[]),
        ("day of the month", 1..=31, 0, &[]),
        ("month", 1..=12, 1, &MONTHS),
        ("day of the week", 0..=6, 0, &DAYS),
    ];
    let parts: Vec<_> = schedule.split_whitespace().collect();
    if parts.len() != fields.len() {
        return Some(format!(
            "it has {} fields; minute, hour, day of the month, month and day of the week are needed",
            parts.len()
        ));
    }
    parts.into_iter().zip(fields).find_map(|(part, (name, range, first, names))| {
        let value = |text: &str| {
            let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
            let named = named.and_then(|at| u8::try_from(at).ok()).map(|at| at + first);
            named.or_else(|| text.parse().ok()).filter(|value| range.contains(value))
        };
        let good = part.split(',').all(|item| is_item(item, &value));
        let (start, end) = (range.start(), range.end());
        (!good).then(|| format!("`{part}` is no {name} ({start} to {end})"))
    })
}

/// `*`, `5`, `1-5`, each with a step such as `/10` or without.
fn is_item(item: &str, value: &impl Fn(&str) -> Option<u8>) -> bool {
    let (base, step) = match item.split_once('/') {
        Some((base, step)) => (base, step.parse::<u8>().is_ok_and(|step| step > 0)),
        None => (item, true),
    };
    let base = match base.split_once('-') {
        _ if matches!(base, "*" | "?") => true,
        Some((from, to)) => {
            matches!((value(from), value(to)), (Some(from), Some(to)) if from <= to)
        }
        None => value(base).is_some(),
    };
    base && step
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn five_fields_within_their_ranges() {
        for good in ["* * * * *", "*/5 0-6,22 1 JAN-mar mon-fri", "0 12 * * 5", "15/10 ? * * ?"] {
            assert_eq!(flaw(good), None, "{good}");
        }
        for bad in ["", "@daily", "* * * *", "0 * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *"]
        {
            assert!(flaw(bad).is_some(), "{bad}");
        }
        for bad in
            ["* * * 13 *", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "a * * * *", "+ * * * *"]
        {
            assert!(flaw(bad).is_some(), "{bad}");
        }
    }
}
