//! Whether the loops of the service still go round.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::SharedClock;

/// How much later than announced a loop may go round: what it does in one round has deadlines of its own.
const GRACE: Duration = Duration::from_secs(3 * 60);

/// The loops of the service, and when each went round last. Clones share them.
#[derive(Clone)]
pub(crate) struct Heartbeats {
    clock: SharedClock,
    loops: Arc<Mutex<Vec<Beat>>>,
}

/// A loop's side: it says that it went round.
#[derive(Clone)]
pub(crate) struct Heartbeat {
    name: &'static str,
    all: Heartbeats,
}

/// A loop, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoopAge {
    /// Its name.
    pub name: &'static str,
    /// How long ago it went round.
    pub age: Duration,
    /// Whether it should have gone round again long ago.
    pub is_late: bool,
}

struct Beat {
    name: &'static str,
    at: Duration,
    due: Duration,
}

impl Heartbeats {
    /// No loop yet. Measured by `clock`'s uptime: a clock that is put right must not make every loop look late.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self { clock, loops: Arc::default() }
    }

    /// For the loop `name`, which begins now.
    pub(crate) fn of(&self, name: &'static str) -> Heartbeat {
        let heartbeat = Heartbeat { name, all: self.clone() };
        heartbeat.beat(Duration::ZERO);
        heartbeat
    }

    /// All loops, in the order in which they began.
    pub(crate) fn ages(&self) -> Vec<LoopAge> {
        let now = self.clock.uptime();
        let age = |beat: &Beat| LoopAge {
            name: beat.name,
            age: now.saturating_sub(beat.at),
            is_late: now.saturating_sub(beat.due) > GRACE,
        };
        self.lock().iter().map(age).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Beat>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heartbeat {
    /// The loop went round without an error of ours, and goes round again after `rest` at the latest.
    pub(crate) fn beat(&self, rest: Duration) {
        let (name, at) = (self.name, self.all.clock.uptime());
        let due = at + rest;
        let mut loops = self.all.lock();
        match loops.iter_mut().find(|beat| beat.name == name) {
            Some(beat) => (beat.at, beat.due) = (at, due),
            None => loops.push(Beat { name, at, due }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Heartbeats;
    use crate::clock::ManualClock;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_loop_is_late_when_it_does_not_come_back_from_the_rest_that_it_announced() {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let heartbeats = Heartbeats::new(clock.clone());
        let shown = || -> Vec<_> {
            let ages = heartbeats.ages().into_iter();
            ages.map(|shown| (shown.name, shown.age.as_secs(), shown.is_late)).collect()
        };
        let (patient, busy) = (heartbeats.of("patient"), heartbeats.of("busy"));
        patient.beat(HOUR);
        clock.advance(Duration::from_secs(181));
        assert_eq!(shown(), [("patient", 181, false), ("busy", 181, true)]);
        busy.beat(Duration::ZERO);
        clock.advance(HOUR);
        assert_eq!(shown(), [("patient", 3781, true), ("busy", 3600, true)]);
        patient.beat(Duration::ZERO);
        assert_eq!(shown()[0], ("patient", 0, false));
    }
}
