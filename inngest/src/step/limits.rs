//! Times that the server takes. Others would leave a run that never ends (P-003).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::duration::{DAY, wire_duration};

/// The longest sleep and wait (P-131); more fails the run.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long a step waits by default: as long as the server allows, with a margin for its clock.
pub(super) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration in the server's words.
pub(super) fn duration(what: &str, duration: Duration) -> Result<String, String> {
    if duration > LONGEST {
        let days = duration.as_secs() / DAY.as_secs();
        return Err(format!("its {what} is {days} days; the server takes at most 366"));
    }
    Ok(wire_duration(duration))
}

/// The server rounds the time that is left to whole seconds, so a run could wake up to half a second early
/// (observed with 1.43).
const ROUNDING: Duration = Duration::from_millis(500);

/// The end of a sleep in the server's words: RFC 3339, in UTC, late enough that the server does not end it
/// sooner. One in the past is fine.
pub(super) fn time(time: SystemTime, now: SystemTime) -> Result<String, String> {
    if let Ok(ahead) = time.duration_since(now) {
        duration("end", ahead)?;
    }
    let since_epoch = (time + ROUNDING).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // `humantime` cuts off parts of a millisecond; here they round up.
    let end = SystemTime::UNIX_EPOCH + since_epoch + Duration::from_nanos(999_999);
    let mut text = String::new();
    write!(text, "{}", humantime::format_rfc3339_millis(end))
        .map_err(|_| "its end is after the year 9999".to_owned())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::time;

    #[test]
    fn t49_points_in_time_are_written_in_utc() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00.500Z"),
            (951_782_399, 0, "2000-02-28T23:59:59.500Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.500Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.500Z"),
            (1_700_000_000, 1, "2023-11-14T22:13:20.501Z"),
            (1_735_689_599, 500_000_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.500Z"),
        ] {
            let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
            assert_eq!(time(at, at).as_deref(), Ok(text));
        }
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert!(time(far, far).is_err());
        let past = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(time(past, past).as_deref(), Ok("1970-01-01T00:00:00.000Z"));
    }
}
