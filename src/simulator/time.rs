//! The time of a world. It passes while nothing can run: the runtime moves it to the next moment at which something is due.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::clock::Clock;

/// The clock of the service, which may be wrong, and the time that has really passed.
pub(super) struct WorldClock(Mutex<State>);

struct State {
    began: Timestamp,
    /// By how much the service's clock was set wrong.
    off: SignedDuration,
    /// The time that has passed in earlier processes, and when this one began.
    passed: Duration,
    process: Option<Instant>,
}

impl WorldClock {
    pub(super) fn new(began: Timestamp) -> Self {
        let (off, passed) = (SignedDuration::ZERO, Duration::ZERO);
        Self(Mutex::new(State { began, off, passed, process: None }))
    }

    /// A runtime begins; must be called within it.
    pub(super) fn begins(&self) {
        self.state().process = Some(Instant::now());
    }

    /// A runtime ends; must be called within it.
    pub(super) fn ends(&self) {
        let mut state = self.state();
        state.passed = state.passed();
        state.process = None;
    }

    /// How much time has passed since the world began.
    pub(super) fn passed(&self) -> Duration {
        self.state().passed()
    }

    /// The right time.
    pub(super) fn really(&self) -> Timestamp {
        let state = self.state();
        state.began + state.passed()
    }

    /// Sets the service's clock forward or back.
    pub(super) fn correct(&self, by: SignedDuration) {
        self.state().off += by;
    }

    /// Until that moment of the world.
    pub(super) async fn wait_until(&self, moment: Duration) {
        let left = moment.saturating_sub(self.passed());
        tokio::time::sleep(left).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn passed(&self) -> Duration {
        self.passed + self.process.map(|began| began.elapsed()).unwrap_or_default()
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let state = self.state();
        state.began + state.passed() + state.off
    }

    fn uptime(&self) -> Duration {
        self.passed()
    }
}
