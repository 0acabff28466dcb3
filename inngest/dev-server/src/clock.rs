//! Time as an argument: the server asks a [`Clock`], so that a test can skip the minutes between two attempts.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// What [`Clock::sleep_until`] returns.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The time by which queue items become due, events are stamped and requests are signed.
///
/// Timeouts of HTTP calls and the polling of apps use real time instead: they guard against real sockets.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> i64;

    /// Resolves once [`Clock::now`] is at least `unix_ms`.
    fn sleep_until(&self, unix_ms: i64) -> Sleep<'_>;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is given"
    )]
    fn now(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn sleep_until(&self, unix_ms: i64) -> Sleep<'_> {
        let left = unix_ms.saturating_sub(self.now());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Box::pin(tokio::time::sleep(left))
    }
}

/// A clock that moves only when it is advanced. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: watch::Sender<i64>,
}

impl ManualClock {
    /// A clock that stands at `unix_ms`.
    pub fn new(unix_ms: i64) -> Self {
        Self { now: watch::Sender::new(unix_ms) }
    }

    /// Moves the time forward; sleeps that are over end.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now.send_modify(|now| *now = now.saturating_add(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        *self.now.borrow()
    }

    fn sleep_until(&self, unix_ms: i64) -> Sleep<'_> {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= unix_ms).await.is_err() {
                // Cannot happen: the sender lives in `self`, which this future borrows.
                std::future::pending::<()>().await;
            }
        })
    }
}
