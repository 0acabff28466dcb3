//! The database's clock: rows are written, and leases compared, by it. The clocks of replicas differ, and a lease that ends
//! by one clock must not be free by another one.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::pools::Dialect;
use super::{Db, only};
use crate::clock::{Clock, SharedClock};
use crate::heartbeat::Heartbeat;

/// From one comparison of the clocks to the next.
const INTERVAL: Duration = Duration::from_secs(60);

/// A clock that is this far off needs a person.
pub(crate) const LARGEST_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// An answer that took longer says little about the time.
const SLOW: SignedDuration = SignedDuration::from_secs(2);

/// This machine's clock, put right by the database's.
pub(super) struct DatabaseClock {
    own: SharedClock,
    /// By how many milliseconds the database's clock is ahead of ours.
    ahead: AtomicI64,
    compared: AtomicBool,
    reported: AtomicBool,
}

impl DatabaseClock {
    /// Until the clocks were compared, and where the database has none of its own, it is `own`.
    pub(super) fn new(own: SharedClock) -> Self {
        let (ahead, compared, reported) = Default::default();
        Self { own, ahead, compared, reported }
    }

    fn set(&self, ahead: SignedDuration) {
        self.ahead.store(i64::try_from(ahead.as_millis()).unwrap_or_default(), Ordering::Relaxed);
        self.compared.store(true, Ordering::Relaxed);
        let is_off = ahead.abs() > LARGEST_SKEW;
        // Once, and again when it was right in between.
        if is_off && !self.reported.load(Ordering::Relaxed) {
            tracing::warn!("{}", off_by(ahead));
        }
        self.reported.store(is_off, Ordering::Relaxed);
    }

    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_millis(self.ahead.load(Ordering::Relaxed))
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let own = self.own.now();
        own.checked_add(self.ahead()).unwrap_or(own)
    }

    fn uptime(&self) -> Duration {
        self.own.uptime()
    }
}

/// What is wrong with a clock that is off.
pub(crate) fn off_by(ahead: SignedDuration) -> String {
    let (seconds, side) =
        (ahead.abs().as_secs(), if ahead.is_negative() { "ahead of" } else { "behind" });
    format!(
        "this machine's clock is {seconds} s {side} the database's; the database's is used for deals and leases"
    )
}

impl Db {
    /// How far the database's clock is ahead of this machine's; `None` where it has none of its own.
    pub(crate) fn clock_skew(&self) -> Option<SignedDuration> {
        self.clock.compared.load(Ordering::Relaxed).then(|| self.clock.ahead())
    }

    /// Compares the clocks at regular intervals, until `stop`.
    pub(crate) async fn keep_time(self, heartbeat: Heartbeat, stop: CancellationToken) {
        let comparing = async {
            loop {
                match self.compare_clocks().await {
                    Ok(()) => heartbeat.beat(INTERVAL),
                    Err(error) => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "the database's clock cannot be read"
                        );
                    }
                }
                tokio::time::sleep(INTERVAL).await;
            }
        };
        let _: Option<()> = stop.run_until_cancelled(comparing).await;
    }

    /// Compares this machine's clock with the database's. A clock that a test drives is right.
    pub(super) async fn compare_clocks(&self) -> anyhow::Result<()> {
        let own = &self.clock.own;
        if self.pools.dialect != Dialect::Postgres || !own.follows_real_time() {
            return Ok(());
        }
        let before = own.now();
        let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let (theirs,): (i64,) = only(self.fetch(sqlx::query_as(query)).await?)?;
        let took = own.now().duration_since(before);
        // Also when our clock was put back meanwhile.
        if (SignedDuration::ZERO..SLOW).contains(&took) {
            let ours = before.as_duration() + took / 2;
            self.clock.set(SignedDuration::from_millis(theirs) - ours);
        }
        Ok(())
    }
}
