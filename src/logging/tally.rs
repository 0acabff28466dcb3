use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Counts what clients can cause at will, so that it is logged once a minute at most.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// When the last line was due, and what has happened since.
    since: Mutex<Option<(Timestamp, u64)>>,
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl Tally {
    /// Counts one more. When a line is due, returns how many it stands for: those since the last line, this one
    /// included.
    pub(crate) fn count(&self, now: Timestamp) -> Option<u64> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *since {
            // A clock that was set back must not silence the line until it has caught up.
            Some((last, silent))
                if (SignedDuration::ZERO..MINUTE).contains(&now.duration_since(*last)) =>
            {
                *silent += 1;
                None
            }
            last => {
                let silent = last.map_or(0, |(_, silent)| silent);
                *last = Some((now, 0));
                Some(silent + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Tally;

    #[test]
    fn a_line_a_minute_counts_all_that_happened() {
        let (tally, mut now) = (Tally::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(tally.count(now), Some(1), "the first one is logged at once");
        now += SignedDuration::from_secs(59);
        assert_eq!((tally.count(now), tally.count(now)), (None, None));
        now += SignedDuration::from_secs(1);
        assert_eq!((tally.count(now), tally.count(now)), (Some(3), None));
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nothing() {
        let (tally, now) = (Tally::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(tally.count(now), Some(1));
        assert_eq!(tally.count(now - SignedDuration::from_hours(1)), Some(1));
    }
}
