//! How long the database may take, and which connections are still believed in.
//!
//! A connection can fall silent while new ones work: after a failover, or when a router on the way has forgotten it. Nothing
//! ever arrives on it, and no error says so. Or it leads to a server that is only a standby now, which answers reads and
//! refuses changes. So every wait has a deadline, and once one has passed, or a change was refused, no connection that was
//! open then is used again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

/// How long a statement, the wait for a connection, a `BEGIN` or a `COMMIT` may take.
pub(super) const STATEMENT: Duration = Duration::from_secs(10);

/// How long a connection may take to answer when it is asked whether it lives. Shorter than what a webhook has to be
/// stored, so that a webhook that meets a silent connection is still stored through a new one.
pub(super) const PING: Duration = Duration::from_secs(1);

/// What PostgreSQL says of a write on a standby: the connection leads to a server that is no longer the primary one.
const READ_ONLY: &str = "25006";

/// When the connections that were open then ceased to be believed in. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Liveness(Arc<Mutex<Option<Instant>>>);

impl Liveness {
    /// Waits for an answer of the database, for `limit` at most.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        let answered = timeout(limit, answer).await.unwrap_or_else(|_| Err(silent(limit)));
        match &answered {
            Err(sqlx::Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut => self.doubt(),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(READ_ONLY) => {
                self.doubt();
            }
            _ => {}
        }
        answered
    }

    /// Whether a connection of this age is not to be used.
    pub(super) fn doubts(&self, age: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() < age)
    }

    fn doubt(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// What a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It begins a transaction.
    Begin,
    /// It reads or changes something.
    Statement,
    /// It ends a transaction.
    Commit,
}

/// Runs a statement; in a simulated world as that wants it.
pub(super) async fn run<T>(
    work: Work,
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    #[cfg(test)]
    if let Some(world) = crate::simulator::current() {
        return world.runs(work, statement).await;
    }
    let _ = work;
    statement.await
}

fn silent(limit: Duration) -> sqlx::Error {
    let reason = format!("the database did not answer within {limit:?}");
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, reason))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::{Duration, Instant};

    use super::Liveness;

    #[tokio::test]
    async fn after_a_silence_connections_that_were_open_are_not_believed_in_and_new_ones_are() {
        let (liveness, opened) = (Liveness::default(), Instant::now());
        let answered = liveness.within(Duration::from_secs(60), async { Ok(1) }).await;
        assert!(answered.is_ok() && !liveness.doubts(opened.elapsed()));
        let silent = liveness.within(Duration::from_millis(1), pending::<sqlx::Result<()>>()).await;
        assert!(silent.is_err() && liveness.doubts(opened.elapsed()));
        assert!(!liveness.doubts(Duration::ZERO));
    }
}
