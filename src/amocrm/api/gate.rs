//! Keeps amoCRM's limits: seven calls a second per integration. Ignoring a 429 gets the whole account blocked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Calls in any one second, over all functions of this process.
const CALLS: usize = 5;
const WINDOW: Duration = Duration::from_secs(1);
/// Between two calls of all replicas together.
pub(super) const SPACING: Duration = Duration::from_millis(200);
/// A call that would wait longer for its turn fails, and Inngest makes it again later.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Why no call may pass after a 429.
pub(super) const TOO_MANY: &str = "amoCRM asked us to slow down (HTTP 429)";
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Lets calls pass at a steady rate, and none while amoCRM has asked for a pause.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The turns given away last, oldest first; the newest may lie ahead.
    turns: VecDeque<Instant>,
    /// When the call that was refused last shall be made again.
    queue_end: Option<Instant>,
    closed: Option<Closed>,
    /// How often in a row amoCRM has said "too many".
    refusals: u32,
}

/// Why no call may pass, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    until: Timestamp,
    pub(super) reason: String,
}

impl Closed {
    /// How long it lasts from `now`.
    pub(super) fn remaining(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.until.duration_since(now)).unwrap_or_default()
    }
}

impl Gate {
    /// Waits for a turn.
    pub(super) async fn enter(&self, now: Timestamp) -> Result<(), Closed> {
        let turn = self.turn(now, Instant::now())?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    fn turn(&self, now: Timestamp, instant: Instant) -> Result<Instant, Closed> {
        let mut state = self.state();
        if let Some(closed) = &state.closed {
            if now < closed.until {
                return Err(closed.clone());
            }
            state.closed = None;
        }
        let turn = match state.turns.front() {
            Some(oldest) if state.turns.len() == CALLS => instant.max(*oldest + WINDOW),
            _ => instant,
        };
        let wait = turn.duration_since(instant);
        if wait > LONGEST_WAIT {
            // Each comes back at its own time: all at once, most of them would be refused again, until their
            // attempts are used up.
            let back = state.queue_end.map_or(turn, |end| turn.max(end));
            state.queue_end = Some(back + WINDOW / CALLS as u32);
            let wait = back.duration_since(instant);
            let reason = "too many calls are waiting for their turn".to_owned();
            return Err(Closed { until: now.saturating_add(wait).unwrap_or(now), reason });
        }
        if state.turns.len() == CALLS {
            state.turns.pop_front();
        }
        state.turns.push_back(turn);
        Ok(turn)
    }

    /// amoCRM said "too many": no call for as long as it asked, or for longer each time.
    pub(super) fn too_many(&self, now: Timestamp, asked: Option<Duration>) -> Duration {
        let mut state = self.state();
        if let Some(closed) = state.closed.as_ref().filter(|closed| now < closed.until) {
            // Sent before the pause began; it says nothing new.
            return closed.remaining(now);
        }
        let own = (FIRST_PAUSE * (1 << state.refusals.min(6))).min(LONGEST_PAUSE);
        state.refusals = state.refusals.saturating_add(1);
        drop(state);
        let pause = asked.unwrap_or(own).max(Duration::from_secs(1));
        self.close(now, pause, TOO_MANY.to_owned());
        pause
    }

    /// No call for `pause`.
    pub(super) fn close(&self, now: Timestamp, pause: Duration, reason: String) {
        let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.state().closed = Some(Closed { until, reason });
    }

    /// A call went through.
    pub(super) fn passed(&self) {
        self.state().refusals = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use tokio::time::Instant;

    use super::{CALLS, Gate};

    #[test]
    fn no_second_sees_more_than_five_calls() {
        let gate = Gate::default();
        let start = Instant::now();
        let turns: Vec<_> =
            (0..40).map(|_| gate.turn(Timestamp::UNIX_EPOCH, start).unwrap()).collect();
        assert_eq!(turns[CALLS - 1], start, "the first five need not wait");
        for (first, sixth) in turns.iter().zip(&turns[CALLS..]) {
            assert!(*sixth - *first >= Duration::from_secs(1));
        }
    }

    #[test]
    fn no_call_queues_for_longer_than_ten_seconds() {
        let gate = Gate::default();
        let start = Instant::now();
        let refused = std::iter::repeat_with(|| gate.turn(Timestamp::UNIX_EPOCH, start))
            .find_map(Result::err)
            .unwrap();
        assert_eq!(refused.remaining(Timestamp::UNIX_EPOCH), Duration::from_secs(11));
        // A thousand more come back one after the other.
        for number in 1..1000 {
            let refused = gate.turn(Timestamp::UNIX_EPOCH, start).unwrap_err();
            let back = Duration::from_secs(11) + number * Duration::from_millis(200);
            assert_eq!(refused.remaining(Timestamp::UNIX_EPOCH), back);
        }
    }

    #[test]
    fn pauses_grow_until_a_call_passes() {
        let gate = Gate::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = gate.too_many(now, None);
            assert_eq!(gate.too_many(now, None), pause, "a call that was under way adds nothing");
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(gate.too_many(now, Some(Duration::from_secs(9))).as_secs(), 9);
        assert!(gate.turn(now, Instant::now()).is_err());
        now += Duration::from_secs(9);
        assert!(gate.turn(now, Instant::now()).is_ok());
        gate.passed();
        assert_eq!(gate.too_many(now, None).as_secs(), 5);
    }
}
