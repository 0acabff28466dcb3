use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<State>);

#[derive(Debug)]
struct State {
    shows: Timestamp,
    has_run: Duration,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(State { shows: now, has_run: Duration::ZERO }))
    }

    /// The time now.
    pub fn shows(&self) -> Timestamp {
        self.state().shows
    }

    /// How much time has passed since it was made, whatever it shows.
    pub fn has_run(&self) -> Duration {
        self.state().has_run
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        if let Ok(later) = state.shows.checked_add(by) {
            state.shows = later;
        }
        state.has_run = state.has_run.saturating_add(by);
    }

    /// Sets it forward or back, while no time passes: as a time server corrects a clock.
    pub fn correct(&self, by: SignedDuration) {
        let mut state = self.state();
        if let Ok(corrected) = state.shows.checked_add(by) {
            state.shows = corrected;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
