//! Cron schedules: five fields, with an optional time zone in front (P-077).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// February 29th on a given weekday comes every 28 years at the latest; nothing is looked for beyond that.
const HORIZON_DAYS: i32 = 28 * 366;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a function runs by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    /// As registered.
    pub(crate) text: String,
    zone: TimeZone,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// A day has to match one of its two fields if both are restricted, else both.
    either_day: bool,
}

impl Schedule {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (zone, fields) = match text.strip_prefix("TZ=") {
            None => (TimeZone::UTC, text),
            Some(zoned) => {
                let (name, fields) = zoned.split_once(' ').unwrap_or((zoned, ""));
                let zone = TimeZone::get(name).map_err(|_| format!("no time zone {name:?}"))?;
                (zone, fields)
            }
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err("a schedule has five fields: minute hour day month weekday".to_owned());
        };
        let weekdays = field(weekday, 0, 7, &DAYS)?;
        let schedule = Self {
            text: text.to_owned(),
            zone,
            minutes: field(minute, 0, 59, &[])?,
            hours: field(hour, 0, 23, &[])?,
            days: field(day, 1, 31, &[])?,
            months: field(month, 1, 12, &MONTHS)?,
            // Sunday is 0 and 7.
            weekdays: weekdays | u64::from(weekdays >> 7 & 1 == 1),
            either_day: !is_any(day) && !is_any(weekday),
        };
        schedule.next(0).map(|_| schedule).ok_or_else(|| "the schedule never comes".to_owned())
    }

    /// The first moment after `unix_ms`. Times that a change of clocks skips do not come.
    pub(crate) fn next(&self, unix_ms: i64) -> Option<i64> {
        let after = Timestamp::from_millisecond(unix_ms).ok()?;
        let start = after.to_zoned(self.zone.clone()).date();
        let days = (0..HORIZON_DAYS).map_while(|days| start.checked_add(days.days()).ok());
        days.filter(|date| self.has_day(*date)).find_map(|date| self.first_of(date, after))
    }

    fn has_day(&self, date: Date) -> bool {
        let has = |set: u64, value: i8| set >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        has(self.months, date.month())
            && if self.either_day { day || weekday } else { day && weekday }
    }

    fn first_of(&self, date: Date, after: Timestamp) -> Option<i64> {
        let hours = (0..24).filter(|hour| self.hours >> hour & 1 == 1);
        hours
            .flat_map(|hour| {
                let minutes = (0..60).filter(|minute| self.minutes >> minute & 1 == 1);
                minutes.map(move |minute| date.at(hour, minute, 0, 0))
            })
            .find_map(|time| self.moment(time).filter(|moment| *moment > after))
            .map(Timestamp::as_millisecond)
    }

    fn moment(&self, time: DateTime) -> Option<Timestamp> {
        let zoned = self.zone.to_zoned(time).ok()?;
        (zoned.datetime() == time).then(|| zoned.timestamp())
    }
}

fn is_any(field: &str) -> bool {
    field.starts_with('*') || field == "?"
}

/// A set of numbers: `*`, `5`, `1-5`, `*/10`, `MON,WED`.
fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Result<u64, String> {
    let problem = || format!("{text:?} is no field of a schedule");
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(step.parse::<u32>().map_err(|_| problem())?)),
        };
        let (first, last) = if matches!(range, "*" | "?") {
            (min, max)
        } else {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first = number(first, min, names).ok_or_else(problem)?;
            let last = number(last, min, names).ok_or_else(problem)?;
            // `5/10` begins at 5 and goes on to the end.
            (first, if step.is_some() && !range.contains('-') { max } else { last })
        };
        if first < min || last > max || first > last || step == Some(0) {
            return Err(problem());
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        set |= (first..=last).step_by(step).fold(0, |set, value| set | 1 << value);
    }
    Ok(set)
}

fn number(text: &str, min: u32, names: &[&str]) -> Option<u32> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    match named {
        Some(index) => Some(min + u32::try_from(index).ok()?),
        None => text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let after: Timestamp = after.parse().unwrap();
        let schedule = Schedule::parse(schedule).unwrap();
        let next = schedule.next(after.as_millisecond()).unwrap();
        Timestamp::from_millisecond(next).unwrap().to_string()
    }

    #[test]
    fn the_next_moment() {
        for (schedule, after, expected) in [
            ("* * * * *", "2026-11-22T12:00:00.250Z", "2026-11-22T12:01:00Z"),
            ("* * * * *", "2026-11-22T12:01:00Z", "2026-11-22T12:02:00Z"),
            ("*/15 * * * *", "2026-11-22T23:46:00Z", "2026-11-23T00:00:00Z"),
            ("5/20 9-17 * * MON-FRI", "2026-11-22T12:00:00Z", "2026-11-23T09:05:00Z"),
            ("0 12 * * 5", "2026-11-22T12:00:00Z", "2026-11-27T12:00:00Z"),
            ("0 0 29 2 *", "2026-11-22T12:00:00Z", "2028-02-29T00:00:00Z"),
            // Restricted twice: one of both is enough.
            ("0 0 1 * 7", "2026-11-23T12:00:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 1 dec ?", "2026-11-23T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("TZ=Europe/Paris 0 12 * * 5", "2026-11-22T12:00:00Z", "2026-11-27T11:00:00Z"),
            // The hour that a change of clocks skips does not come that day.
            ("TZ=Europe/Paris 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
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
        ] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
