use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::liveness::{Liveness, PING};

/// A connection out of a pool. Dropped, it goes back only when its last statement is known to have gone well, and is closed
/// otherwise.
pub(super) struct Connection {
    connection: PoolConnection<Any>,
    liveness: Liveness,
    good: bool,
}

impl Connection {
    /// The next one of `pool`, which has a deadline for it.
    pub(super) async fn of(pool: &AnyPool, liveness: &Liveness) -> sqlx::Result<Self> {
        #[cfg(test)]
        if crate::simulator::current().is_some() {
            let connection = crate::simulator::connection_of(pool).await?;
            return Ok(Self { connection, liveness: liveness.clone(), good: false });
        }
        let connection = pool.acquire().await?;
        Ok(Self { connection, liveness: liveness.clone(), good: false })
    }

    /// The connection, and what keeps the deadline of the next statement.
    pub(super) fn parts(&mut self) -> (&mut AnyConnection, &Liveness) {
        (&mut self.connection, &self.liveness)
    }

    /// Everything on it went well.
    pub(super) fn is_good(&mut self) {
        self.good = true;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        #[cfg(test)]
        if crate::simulator::current().is_some() {
            return crate::simulator::give_back(&mut self.connection, self.good);
        }
        if !self.good {
            return self.connection.close_on_drop();
        }
        // Left alone, sqlx asks a connection that comes back whether it lives, and waits for its answer for ever, with
        // one place of the pool in its hand.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(PING, self.connection.return_to_pool()));
        }
    }
}
