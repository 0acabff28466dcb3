//! Durations as the server reads them.

use std::time::Duration;

use serde::Serializer;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `1500ms`, `90s`: one number and one unit, which every version of the server takes (P-089). Parts of a
/// millisecond round up, so that a pause is never shorter than asked for.
pub(crate) fn wire_duration(duration: Duration) -> String {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    if millis.is_multiple_of(1_000) {
        format!("{}s", millis / 1_000)
    } else {
        format!("{millis}ms")
    }
}

/// Writes a setting as [`wire_duration`] does.
pub(crate) fn serialize_wire<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&wire_duration(*duration))
}

/// The same for one that may be absent.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(crate) fn serialize_wire_option<S: Serializer>(
    duration: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serialize_wire(duration, to),
        None => to.serialize_none(),
    }
}

/// `Retry-After` in whole seconds: rounded up, and within the 1 s to 24 h that the server honours (P-142).
pub(crate) fn retry_after_seconds(delay: Duration) -> u64 {
    let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    seconds.clamp(1, 24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{retry_after_seconds, wire_duration};

    #[test]
    fn durations_are_written_in_one_unit_and_rounded_up() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ms"),
            (Duration::from_millis(500), "500ms"),
            (Duration::from_millis(1500), "1500ms"),
            (Duration::from_secs(2), "2s"),
            (Duration::from_secs(86_400), "86400s"),
        ] {
            assert_eq!(wire_duration(duration), text);
        }
    }

    #[test]
    fn retry_after_stays_within_what_the_server_honours() {
        for (delay, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(1500), 2),
            (Duration::from_secs(90), 90),
            (Duration::from_secs(1_000_000), 86_400),
        ] {
            assert_eq!(retry_after_seconds(delay), seconds);
        }
    }
}
