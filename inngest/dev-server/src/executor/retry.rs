//! When a failed attempt is tried again.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// The waits before attempts 2, 3, 4 ... (P-143). The real server adds up to 30 s of jitter; this one does not.
const BACKOFF_SECONDS: [u64; 10] = [15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200];
const MAX_RETRY_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// How long to wait after `attempt` (zero-based) failed without naming a time.
pub(super) fn backoff(attempt: u32, interval: Option<Duration>) -> Duration {
    let index = usize::try_from(attempt).unwrap_or(usize::MAX).min(BACKOFF_SECONDS.len() - 1);
    interval.unwrap_or(Duration::from_secs(BACKOFF_SECONDS[index]))
}

/// When a `Retry-After` header allows the next attempt, in unix milliseconds; `None` when it cannot be read (P-142).
///
/// Seconds count from the second that is running, as on the real server: `1` may mean a few milliseconds.
pub(super) fn retry_at(header: &str, now_ms: i64) -> Option<i64> {
    let this_second = now_ms - now_ms.rem_euclid(1000);
    let seconds = header.parse::<i64>().ok().filter(|s| header.len() <= 7 && *s > 0);
    let at = match seconds {
        Some(seconds) => this_second + seconds * 1000,
        None => date_ms(header)?,
    };
    Some(match at - now_ms {
        ..1000 => this_second + 1000,
        1000..=MAX_RETRY_AFTER_MS => at,
        _ => this_second + MAX_RETRY_AFTER_MS,
    })
}

/// A date in one of the forms that the server reads, as unix milliseconds in UTC.
pub(super) fn date_ms(text: &str) -> Option<i64> {
    let utc = |date: DateTime| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let timestamp = match text.as_bytes().get(10) {
        None if text.len() < 10 => return None,
        None => utc(text.parse::<Date>().ok()?.to_datetime(Time::midnight()))?,
        Some(b'T') => text.parse().ok().or_else(|| utc(text.parse().ok()?))?,
        Some(_) => rfc2822::parse(text).ok()?.timestamp(),
    };
    Some(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T12:00:00.250Z
    const NOW: i64 = 1_795_348_800_250;

    #[test]
    fn retry_after_is_read_as_the_server_reads_it() {
        let seconds = |header| retry_at(header, NOW).map(|at| (at - NOW + 250) / 1000);
        for (header, expected) in [
            ("4", Some(4)),
            ("9999999", Some(86_400)),
            ("2026-11-22T12:01:00Z", Some(60)),
            ("2026-11-22T12:01:00", Some(60)),
            ("Sun, 22 Nov 2026 12:01:00 GMT", Some(60)),
            ("2020-01-01", Some(1)),
            ("2030-01-02", Some(86_400)),
            ("0", None),
            ("-1", None),
            ("20300102", None),
            ("1.5", None),
            ("1795348860", None),
            ("2030-01-02 03:04:05", None),
            ("", None),
        ] {
            assert_eq!(seconds(header), expected, "{header}");
        }
    }

    #[test]
    fn the_back_off_grows_to_two_hours() {
        assert_eq!(backoff(0, None), Duration::from_secs(15));
        assert_eq!(backoff(3, None), Duration::from_secs(120));
        assert_eq!(backoff(19, None), Duration::from_secs(7200));
        assert_eq!(backoff(9, Some(Duration::from_secs(1))), Duration::from_secs(1));
    }
}
