//! Whether the loops of the service still go round.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much later than announced a loop may go round: what it does in one round has deadlines of its own.
const GRACE: Duration = Duration::from_secs(3 * 60);

/// The loops of the service, and when each went round last. Clones share them.
#[derive(Clone)]
pub struct Heartbeats {
    now: Arc<dyn Fn() -> Instant + Send + Sync>,
    loops: Arc<Mutex<Vec<Beat>>>,
}

/// A loop's side: it says that it went round.
#[derive(Clone)]
pub struct Heartbeat {
    name: &'static str,
    all: Heartbeats,
}

/// A loop, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopAge {
    /// Its name.
    pub name: &'static str,
    /// How long ago it went round.
    pub age: Duration,
    /// Whether it should have gone round again long ago.
    pub is_late: bool,
}

struct Beat {
    name: &'static str,
    at: Instant,
    due: Instant,
}

impl Heartbeats {
    /// No loop yet; `now` is a monotonic clock: a wall clock that is put right must not make every loop look late.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), loops: Arc::default() }
    }

    /// For the loop `name`, which begins now.
    pub fn of(&self, name: &'static str) -> Heartbeat {
        let heartbeat = Heartbeat { name, all: self.clone() };
        heartbeat.beat(Duration::ZERO);
        heartbeat
    }

    /// All loops, in the order in which they began.
    pub fn ages(&self) -> Vec<LoopAge> {
        let now = (self.now)();
        let age = |beat: &Beat| LoopAge {
            name: beat.name,
            age: now.saturating_duration_since(beat.at),
            is_late: now.saturating_duration_since(beat.due) > GRACE,
        };
        self.lock().iter().map(age).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Beat>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heartbeat {
    /// The loop went round without an error of ours, and goes round again after `rest` at the latest.
    pub fn beat(&self, rest: Duration) {
        let (name, at) = (self.name, (self.all.now)());
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
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    use super::Heartbeats;

    const HOUR: u64 = 3600;

    #[test]
    fn a_loop_is_late_when_it_does_not_come_back_from_the_rest_that_it_announced() {
        let (start, passed) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let clock = passed.clone();
        let heartbeats = Heartbeats::new(move || start + Duration::from_secs(clock.load(Relaxed)));
        let shown = || -> Vec<_> {
            let ages = heartbeats.ages().into_iter();
            ages.map(|shown| (shown.name, shown.age.as_secs(), shown.is_late)).collect()
        };
        let (patient, busy) = (heartbeats.of("patient"), heartbeats.of("busy"));
        patient.beat(Duration::from_secs(HOUR));
        passed.fetch_add(181, Relaxed);
        assert_eq!(shown(), [("patient", 181, false), ("busy", 181, true)]);
        busy.beat(Duration::ZERO);
        passed.fetch_add(HOUR, Relaxed);
        assert_eq!(shown(), [("patient", 3781, true), ("busy", 3600, true)]);
        patient.beat(Duration::ZERO);
        assert_eq!(shown()[0], ("patient", 0, false));
    }
}
