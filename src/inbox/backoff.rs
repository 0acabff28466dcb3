//! How long to wait while something is away: twice as long each time, up to a limit.

use std::time::Duration;

/// The longest wait that the other side can ask for: a mistaken header must not silence us for a day.
const LONGEST_ASKED: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The time to wait now, at least `asked` where the other side named one.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.longest);
        wait.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    /// It is back.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn the_wait_doubles_up_to_the_limit_and_starts_anew_after_a_success() {
        let seconds = Duration::from_secs_f32;
        let mut backoff = Backoff::new(seconds(0.5), seconds(60.0));
        let waits: Vec<_> = (0..9).map(|_| backoff.wait(None).as_secs_f32()).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        backoff.reset();
        assert_eq!(backoff.wait(None), seconds(0.5));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_within_the_limit() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(backoff.wait(Some(Duration::from_secs(20))), Duration::from_secs(20));
        assert_eq!(backoff.wait(Some(Duration::from_secs(1))), Duration::from_secs(2));
        assert_eq!(backoff.wait(Some(Duration::from_secs(300))), Duration::from_secs(300));
        assert_eq!(backoff.wait(Some(Duration::from_secs(86_400))), Duration::from_secs(600));
    }
}
