//! When a deal is sent to Inngest again.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long a deal waits before it is sent again: first `resend_after`, then longer each time, at last every six hours and
/// without end. Longer waits keep a backlog in Inngest from being filled up with repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// `DEALS_RESEND_AFTER`.
    pub resend_after: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { resend_after: 15 * MINUTE }
    }
}

impl Schedule {
    /// The waits, in milliseconds, of a deal of which nothing is heard, by how often it was sent again. The last one
    /// repeats.
    pub(super) fn in_silence(self) -> [i64; 6] {
        let waits = [Duration::ZERO, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 6 * HOUR];
        waits.map(|wait| milliseconds(wait.max(self.resend_after)))
    }

    /// The waits of a deal whose run has failed, which is known at once: the first time none.
    pub(super) fn after_failure(self) -> [i64; 6] {
        let [first, second, third, fourth, longest, _] = self.in_silence();
        [0, first, second, third, fourth, longest]
    }
}

fn milliseconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HOUR, MINUTE, Schedule};

    fn minutes(waits: [i64; 6]) -> [i64; 6] {
        waits.map(|wait| wait / 60_000)
    }

    #[test]
    fn the_waits_grow_to_six_hours_and_none_is_shorter_than_the_first() {
        let usual = Schedule::default();
        assert_eq!(minutes(usual.in_silence()), [15, 30, 60, 120, 360, 360]);
        assert_eq!(minutes(usual.after_failure()), [0, 15, 30, 60, 120, 360]);
        let patient = Schedule { resend_after: 90 * MINUTE };
        assert_eq!(minutes(patient.in_silence()), [90, 90, 90, 120, 360, 360]);
        let quick = Schedule { resend_after: Duration::from_secs(5) };
        assert_eq!(quick.in_silence()[..2], [5_000, 1_800_000]);
        assert_eq!(Schedule { resend_after: 9 * HOUR }.after_failure()[5], 9 * 3_600_000);
    }
}
