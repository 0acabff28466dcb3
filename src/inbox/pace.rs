//! How long the forwarder waits: twice as long each time while Inngest is down, up to a limit.

use std::time::Duration;

/// The longest wait that the other side can ask for: a wrong header must not stop the forwarder for a day.
const LONGEST_ASKED: Duration = Duration::from_secs(10 * 60);

/// How often the forwarder reads the inbox and sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How often to read the inbox without being woken: rows of another process, or a missed wake-up.
    pub poll: Duration,
    /// The first wait while Inngest is down.
    pub first_retry: Duration,
    /// The longest wait while Inngest is down.
    pub longest_retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(60),
        }
    }
}

/// How a batch went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Batch {
    /// There was nothing to send.
    Empty,
    /// Everything in it was accepted or given up, or more waits behind it.
    Done,
    /// Some events are not accepted; others may be.
    Held,
    /// Inngest accepts nothing now, and may have said for how long.
    Away(Option<Duration>),
}

/// A wait before the next batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) time: Duration,
    /// Whether a new webhook ends it.
    pub(super) can_be_woken: bool,
}

/// Counts the waits while Inngest is down.
#[derive(Debug)]
pub(super) struct Backoff {
    pace: Pace,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, next: pace.first_retry }
    }

    /// How long to wait after a batch that went like this.
    pub(super) fn after(&mut self, batch: Batch) -> Option<Pause> {
        match batch {
            Batch::Done | Batch::Empty => {
                self.next = self.pace.first_retry;
                let poll = Pause { time: self.pace.poll, can_be_woken: true };
                matches!(batch, Batch::Empty).then_some(poll)
            }
            Batch::Held => Some(Pause { time: self.longer(), can_be_woken: true }),
            // A new webhook does not bring Inngest back: it does not cut this wait short.
            Batch::Away(asked) => {
                let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
                Some(Pause { time: self.longer().max(asked), can_be_woken: false })
            }
        }
    }

    fn longer(&mut self) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.pace.longest_retry);
        wait
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, Batch, Pace, Pause};

    /// The wait, in seconds, of a forwarder that nothing wakes.
    fn away(backoff: &mut Backoff, asked: Option<u64>) -> f32 {
        let pause = backoff.after(Batch::Away(asked.map(Duration::from_secs))).unwrap();
        assert!(!pause.can_be_woken);
        pause.time.as_secs_f32()
    }

    #[test]
    fn while_inngest_is_away_the_waits_double_up_to_the_limit_and_start_anew_after_a_success() {
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0];
        for back in [Batch::Done, Batch::Empty] {
            let mut backoff = Backoff::new(Pace::default());
            for _ in 0..2 {
                let waits: Vec<_> = (0..9).map(|_| away(&mut backoff, None)).collect();
                assert_eq!(waits, expected);
                backoff.after(back);
            }
        }
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_within_the_limit() {
        let pace = Pace { first_retry: Duration::from_secs(1), ..Pace::default() };
        let mut backoff = Backoff::new(pace);
        assert_eq!(away(&mut backoff, Some(20)), 20.0);
        assert_eq!(away(&mut backoff, Some(1)), 2.0);
        assert_eq!(away(&mut backoff, Some(300)), 300.0);
        assert_eq!(away(&mut backoff, Some(86_400)), 600.0);
    }

    #[test]
    fn an_empty_inbox_and_a_held_event_wait_for_a_webhook_and_a_backlog_for_nothing() {
        let mut backoff = Backoff::new(Pace::default());
        assert_eq!(backoff.after(Batch::Done), None);
        let poll = Pause { time: Duration::from_secs(30), can_be_woken: true };
        assert_eq!(backoff.after(Batch::Empty), Some(poll));
        for milliseconds in [500, 1000] {
            let wait = Pause { time: Duration::from_millis(milliseconds), can_be_woken: true };
            assert_eq!(backoff.after(Batch::Held), Some(wait));
        }
    }
}
