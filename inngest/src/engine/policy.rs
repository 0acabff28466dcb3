//! How often a single step is tried, and when.

use std::time::Duration;

use crate::{Error, Retry};

/// A step's own limits, on top of the function's retries and of what its errors say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RetryPolicy {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) backoff: Option<fn(u32) -> Duration>,
}

impl RetryPolicy {
    /// What becomes of an error, which is the step's failure number `failures`, in the attempt `attempt` of the server,
    /// counted from 0. An error that says itself what should happen is left alone, except that the last attempt is the
    /// last.
    pub(super) fn apply(self, error: Error, failures: u32, attempt: u32) -> Error {
        if self.max_attempts.is_some_and(|max| failures >= max) {
            return error.no_retry();
        }
        match (error.retry(), self.backoff) {
            // Deliveries that were lost lengthen the pause as well: something is not well.
            (Retry::Backoff, Some(backoff)) => {
                error.retry_after(backoff(attempt.saturating_add(1)))
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryPolicy;
    use crate::{Error, Retry};

    #[test]
    fn the_last_attempt_is_final_and_the_others_wait_as_configured() {
        let policy = RetryPolicy {
            max_attempts: Some(3),
            backoff: Some(|attempts| Duration::from_secs(u64::from(attempts) * 10)),
        };
        let retry =
            |error: Error, failures, attempt| policy.apply(error, failures, attempt).retry();
        let plain = || Error::from("no");
        assert_eq!(retry(plain(), 1, 0), Retry::After(Duration::from_secs(10)));
        assert_eq!(retry(plain(), 2, 1), Retry::After(Duration::from_secs(20)));
        assert_eq!(retry(plain(), 2, 4), Retry::After(Duration::from_secs(50)), "three were lost");
        assert_eq!(retry(plain(), 3, 2), Retry::Never);
        assert_eq!(retry(plain(), u32::MAX, u32::MAX), Retry::Never);
        let minute = Duration::from_secs(60);
        assert_eq!(retry(plain().retry_after(minute), 1, 0), Retry::After(minute));
        assert_eq!(retry(plain().retry_after(minute), 3, 2), Retry::Never);
        assert_eq!(retry(plain().no_retry(), 1, 0), Retry::Never);
        assert_eq!(RetryPolicy::default().apply(plain(), 1, 9).retry(), Retry::Backoff);
    }
}
