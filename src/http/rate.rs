use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Lets so many requests pass in a minute, from all callers together. Consents are rare: more than a few of them are
/// somebody's script.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_minute: u32,
    window: Mutex<Option<(Timestamp, u32)>>,
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl RateLimit {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, window: Mutex::default() }
    }

    /// Whether one more may pass.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, passed) = match *window {
            Some((start, passed)) if now.duration_since(start) < MINUTE => (start, passed),
            _ => (now, 0),
        };
        *window = Some((start, passed.saturating_add(1)));
        passed < self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::RateLimit;

    #[test]
    fn a_minute_has_its_share() {
        let (limit, mut now) = (RateLimit::new(2), Timestamp::UNIX_EPOCH);
        assert!(limit.admits(now) && limit.admits(now) && !limit.admits(now));
        now += SignedDuration::from_secs(59);
        assert!(!limit.admits(now));
        now += SignedDuration::from_secs(1);
        assert!(limit.admits(now));
    }
}
