//! Cron schedules: five fields, with an optional time zone in front (P-077).

use cronexpr::{Crontab, MakeTimestamp};
use jiff::tz::TimeZone;

/// When a function runs by itself.
#[derive(Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Schedule {
    /// As registered.
    pub(crate) text: String,
    table: Crontab,
}

impl Schedule {
    /// The first time after `unix_ms`. On the day when a time is skipped by a change of clocks, it does not come.
    pub(crate) fn next(&self, unix_ms: i64) -> Option<i64> {
        let after = MakeTimestamp::from_millisecond(unix_ms).ok()?;
        Some(self.table.find_next(after).ok()?.timestamp().as_millisecond())
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let schedule = Self { table: table(&text)?, text };
        schedule.next(0).map(|_| schedule).ok_or_else(|| "the schedule never comes".to_owned())
    }
}

fn table(text: &str) -> Result<Crontab, String> {
    let (zone, fields) = match text.strip_prefix("TZ=") {
        None => ("UTC", text),
        Some(zoned) => zoned.split_once(' ').unwrap_or((zoned, "")),
    };
    TimeZone::get(zone).map_err(|_| format!("no time zone {zone:?}"))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let &[minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err("a schedule has five fields: minute hour day month weekday".to_owned());
    };
    if day.contains(|c: char| c.is_ascii_alphabetic()) || !weekday.split([',', '-']).all(is_weekday)
    {
        return Err("the real server knows neither L, W and # nor Sunday as 7".to_owned());
    }
    let (day, weekday) = (spelled_out(day, "1-31"), spelled_out(weekday, "0-6"));
    let text = format!("{minute} {hour} {day} {month} {weekday} {zone}").replace('?', "*");
    cronexpr::parse_crontab(&text).map_err(|error| {
        let error = error.to_string();
        error.lines().last().unwrap_or_default().trim_start_matches([' ', '^']).to_owned()
    })
}

fn is_weekday(text: &str) -> bool {
    let name = text.split('/').next().unwrap_or_default();
    matches!(name, "*" | "?" | "0" | "1" | "2" | "3" | "4" | "5" | "6")
        || name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A day has to match one of its two fields if both are restricted, else both. For the real server a step restricts a
/// field, for `cronexpr` an asterisk says that nothing does.
fn spelled_out(field: &str, all: &str) -> String {
    match field.strip_prefix(['*', '?']) {
        Some(step) if step.starts_with('/') && step != "/1" => format!("{all}{step}"),
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let after: Timestamp = after.parse().unwrap();
        let schedule = Schedule::try_from(schedule.to_owned()).unwrap();
        let next = schedule.next(after.as_millisecond()).unwrap();
        Timestamp::from_millisecond(next).unwrap().to_string()
    }

    #[test]
    fn the_next_time() {
        for (schedule, after, expected) in [
            ("* * * * *", "2026-11-22T12:00:00.250Z", "2026-11-22T12:01:00Z"),
            ("* * * * *", "2026-11-22T12:01:00Z", "2026-11-22T12:02:00Z"),
            ("*/15 * * * *", "2026-11-22T23:46:00Z", "2026-11-23T00:00:00Z"),
            ("5/20 9-17 * * MON-FRI", "2026-11-22T12:00:00Z", "2026-11-23T09:05:00Z"),
            ("0 12 * * 5", "2026-11-22T12:00:00Z", "2026-11-27T12:00:00Z"),
            ("0 0 29 2 *", "2026-11-22T12:00:00Z", "2028-02-29T00:00:00Z"),
            // Restricted twice: one of both is enough. A step restricts, too.
            ("0 0 */2 * 1", "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"),
            ("0 0 */2 * 2", "2026-11-23T12:00:00Z", "2026-11-24T00:00:00Z"),
            ("0 0 */1 * 2", "2026-11-24T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("0 0 1 * 0", "2026-11-23T12:00:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 1 dec ?", "2026-11-23T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("TZ=Europe/Paris 0 12 * * 5", "2026-11-22T12:00:00Z", "2026-11-27T11:00:00Z"),
            // The hour that a change of clocks skips does not come that day; the one that it repeats comes twice.
            ("TZ=Europe/Paris 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
            ("TZ=Europe/Paris 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ] {
            assert_eq!(next(schedule, after), expected, "{schedule}");
        }
    }

    #[test]
    fn schedules_that_are_none() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "@daily",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "-1 * * * *",
            "0 0 31 2 *",
            "TZ=Nowhere/Town * * * * *",
            "TZ=UTC",
            "1- * * * *",
            "+1 * * * *",
            // What other schedulers know and the real server does not.
            "0 0 * * 7",
            "0 0 * * 5-7",
            "0 0 L * *",
            "0 0 1W * *",
            "0 0 * * 5L",
            "0 0 * * 5#3",
            "H * * * *",
        ] {
            assert!(Schedule::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
