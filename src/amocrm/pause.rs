use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use crate::outbound;

/// The longest pause that an answer can ask for. amoCRM documents none; a wrong header must not silence the service.
const LONGEST_ASKED: Duration = Duration::from_secs(10 * 60);

/// A time in which something is not done.
#[derive(Debug, Clone)]
pub(super) struct Pause {
    since: Timestamp,
    length: Duration,
}

impl Pause {
    /// From `now` on, for `length`.
    pub(super) fn new(now: Timestamp, length: Duration) -> Self {
        Self { since: now, length }
    }

    /// What is left of it; `None` once it is over.
    pub(super) fn left(&mut self, now: Timestamp) -> Option<Duration> {
        // A clock that was set back: from here on it lasts as long as was meant, and not until the clock has caught up.
        self.since = self.since.min(now);
        let passed = Duration::try_from(now.duration_since(self.since)).unwrap_or_default();
        self.length.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

/// The pause that an answer asks for with `Retry-After`, as far as it is kept.
pub(super) fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    outbound::retry_after(headers, now).map(|asked| asked.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::Pause;

    #[test]
    fn a_clock_that_is_set_back_does_not_make_a_pause_longer_than_it_was_meant() {
        let minute = Duration::from_secs(60);
        let mut now = Timestamp::UNIX_EPOCH + 1000 * minute;
        let mut pause = Pause::new(now, 10 * minute);
        now += 9 * minute;
        assert_eq!(pause.left(now), Some(minute));
        now -= 500 * minute;
        assert_eq!(pause.left(now), Some(10 * minute));
        now += 10 * minute;
        assert_eq!(pause.left(now), None);
    }
}
