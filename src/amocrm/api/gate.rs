//! Keeps amoCRM's limits: seven calls a second per integration. Ignoring a 429 gets the whole account blocked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::amocrm::pause::Pause;

/// From one call to the next, whatever went before: amoCRM counts calls as they arrive, and those that leave together may
/// arrive within one second with those of the next. So there are five in a second, and with delays on the way seven.
pub(super) const SPACING: Duration = Duration::from_millis(200);
/// A call that would wait longer for its turn fails, and Inngest makes it again later.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Why no call may pass after a 429.
pub(super) const TOO_MANY: &str = "amoCRM asked us to slow down (HTTP 429)";
/// Why a call fails that would have to wait too long.
const QUEUE_FULL: &str = "too many calls are waiting for their turn";
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Lets calls pass at a steady rate, and none while amoCRM has asked for a pause.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the next call may pass; it lies ahead by the calls that wait.
    next: Option<Instant>,
    /// When the call that was refused last shall be made again.
    queue_end: Option<Instant>,
    /// A pause, and why.
    closed: Option<(Pause, String)>,
    /// How often in a row amoCRM has said "too many".
    refusals: u32,
}

/// Why no call may pass, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) wait: Duration,
    pub(super) reason: String,
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
        if let Some((pause, reason)) = &mut state.closed {
            if let Some(wait) = pause.left(now) {
                return Err(Closed { wait, reason: reason.clone() });
            }
            state.closed = None;
        }
        // Time in which no call passed is not saved up.
        let turn = state.next.map_or(instant, |next| next.max(instant));
        let wait = turn.duration_since(instant);
        if wait > LONGEST_WAIT {
            return Err(state.refuse(instant, wait));
        }
        state.next = Some(turn + SPACING);
        Ok(turn)
    }

    /// A call that would have to wait for `wait`, here or behind those of the other replicas, takes no turn. Returns when
    /// it is to come back.
    pub(super) fn refuse(&self, wait: Duration) -> Closed {
        self.state().refuse(Instant::now(), wait)
    }

    /// amoCRM said "too many": no call for as long as it asked, or for longer each time.
    pub(super) fn too_many(&self, now: Timestamp, asked: Option<Duration>) -> Duration {
        let mut state = self.state();
        let left = state.closed.as_mut().and_then(|(pause, _)| pause.left(now));
        if let Some(left) = left {
            // Sent before the pause began; it says nothing new.
            return left;
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
        self.state().closed = Some((Pause::new(now, pause), reason));
    }

    /// A call went through.
    pub(super) fn passed(&self) {
        self.state().refusals = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Each comes back at its own time: all at once, most of them would be refused again, until their attempts are used
    /// up.
    fn refuse(&mut self, instant: Instant, wait: Duration) -> Closed {
        let free = instant + wait;
        let back = self.queue_end.map_or(free, |end| free.max(end));
        self.queue_end = Some(back + SPACING);
        Closed { wait: back.duration_since(instant), reason: QUEUE_FULL.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use tokio::time::Instant;

    use super::{Gate, LONGEST_WAIT, SPACING};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// The most calls within any time as long as this.
    fn most_within(turns: &[Instant], time: Duration) -> usize {
        let mut most = 0;
        for (number, first) in turns.iter().enumerate() {
            let within = turns[number..].iter().take_while(|turn| **turn < *first + time);
            most = most.max(within.count());
        }
        most
    }

    #[test]
    fn no_second_sees_more_than_five_calls_also_after_a_rest() {
        let (gate, mut now, mut turns) = (Gate::default(), Instant::now(), Vec::new());
        let (mut asked, mut random) = (0, 1_u64);
        while turns.len() < 5000 {
            // One call, or many at once, and then nothing for up to 30 s.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (calls, rest) = ((random >> 33) % 80, (random >> 40) % 30_000);
            for _ in 0..calls {
                asked += 1;
                turns.extend(gate.turn(NOW, now).ok());
            }
            now += Duration::from_millis(rest);
        }
        assert!(turns.len() > asked / 2, "{} of {asked} got a turn", turns.len());
        let second = Duration::from_secs(1);
        assert_eq!(most_within(&turns, second), 5);
        // The first of them late by 300 ms, and the last ones not: then so many arrive within a second.
        assert_eq!(most_within(&turns, second + Duration::from_millis(300)), 7);
    }

    #[test]
    fn a_turn_that_is_too_far_away_is_not_taken() {
        let (gate, mut now) = (Gate::default(), Instant::now());
        let taken = (0..1000).filter_map(|_| gate.turn(NOW, now).ok()).count() as u32;
        assert_eq!(taken, LONGEST_WAIT.div_duration_f64(SPACING) as u32 + 1);
        // A thousand more that are refused each second leave the queue as it is: it moves on.
        for _ in 0..20 {
            now += Duration::from_secs(1);
            let taken = (0..1000).filter_map(|_| gate.turn(NOW, now).ok()).count();
            assert_eq!(taken, 5);
        }
    }

    #[test]
    fn those_who_are_refused_come_back_one_after_the_other() {
        let (gate, now) = (Gate::default(), Instant::now());
        let first = std::iter::repeat_with(|| gate.turn(NOW, now)).find_map(Result::err).unwrap();
        assert_eq!(first.wait, LONGEST_WAIT + SPACING);
        for number in 1..1000 {
            let refused = gate.turn(NOW, now).unwrap_err();
            assert_eq!(refused.wait, first.wait + number * SPACING);
        }
        // By then the queue is empty, and each gets its turn at once.
        for number in 0..1000 {
            let back = now + first.wait + number * SPACING;
            assert_eq!(gate.turn(NOW, back).unwrap(), back);
        }
    }

    #[test]
    fn pauses_grow_until_a_call_passes() {
        let (gate, mut now, mut pauses) = (Gate::default(), NOW, Vec::new());
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

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_the_gate_closed() {
        let (gate, day) = (Gate::default(), SignedDuration::from_hours(24));
        gate.close(NOW + day, Duration::from_secs(60), "unpaid".to_owned());
        assert_eq!(gate.turn(NOW, Instant::now()).unwrap_err().wait.as_secs(), 60);
        let later = NOW + Duration::from_secs(60);
        assert!(gate.turn(later, Instant::now()).is_ok());
    }
}
