//! Where the time comes from. Everything takes it as an argument, so that tests can set it.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
pub(crate) use sandbox::ManualClock;

/// A source of the current time.
pub(crate) trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Whether it runs by itself, however wrong it is. One that a test drives does not.
    fn follows_real_time(&self) -> bool {
        false
    }
    /// How long this process has been there, on a clock that never jumps: for the time that something has taken.
    fn uptime(&self) -> Duration;
}

/// A clock that many parts share.
pub(crate) type SharedClock = Arc<dyn Clock>;

/// The clock of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn follows_real_time(&self) -> bool {
        true
    }

    fn uptime(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.shows()
    }

    fn uptime(&self) -> Duration {
        self.has_run()
    }
}
