//! Where the service touches the world: a statement of its database, a request to another system. Each is a point at which
//! the process can be killed, before it and after it, and nothing between two of them matters to anything outside.
//!
//! SQLite works in threads of its own. Here a statement is waited for while the world's time stands still, so that the same
//! seed always tells the same story.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Executor as _};

use super::world::World;
use crate::db::Work;

thread_local! {
    static CURRENT: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
    static BY_HAND: RefCell<bool> = const { RefCell::new(false) };
}

/// How long a connection is waited for, as in the pools of the service.
const ACQUIRE: Duration = Duration::from_secs(30);

/// The world in which this thread lives, if it does not live in the real one.
pub(crate) fn current() -> Option<Arc<World>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Lets this thread live in `world`, until the returned value is dropped.
pub(super) fn enter(world: &Arc<World>) -> impl Drop {
    struct Left;
    impl Drop for Left {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }
    CURRENT.set(Some(Arc::clone(world)));
    Left
}

/// Waits for `work` while the time of the world stands still.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// What a person does at the database: at once, and whatever happens to the service.
pub(super) fn by_hand<T>(work: impl Future<Output = T>) -> T {
    BY_HAND.set(true);
    let done = at_once(work);
    BY_HAND.set(false);
    done
}

fn is_by_hand() -> bool {
    BY_HAND.with_borrow(|by_hand| *by_hand)
}

/// The next connection of `pool`.
pub(crate) async fn connection_of(pool: &AnyPool) -> sqlx::Result<PoolConnection<Any>> {
    let pause = Duration::from_millis(200);
    for _ in 0..ACQUIRE.as_millis() / pause.as_millis() {
        if let Some(connection) = pool.try_acquire() {
            return Ok(connection);
        }
        if pool.size() < pool.options().get_max_connections() {
            return at_once(pool.acquire());
        }
        tokio::time::sleep(pause).await;
    }
    Err(sqlx::Error::PoolTimedOut)
}

/// The connection goes back to its pool.
pub(crate) fn give_back(connection: &mut PoolConnection<Any>, good: bool) {
    if !good {
        // No transaction is open any more where that fails.
        let _ = at_once(connection.execute("ROLLBACK"));
    }
    at_once(connection.return_to_pool());
}

/// Builds requests, and sends none.
#[expect(clippy::disallowed_methods, reason = "nothing is sent with it")]
pub(crate) fn http_client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(reqwest::Client::new).clone()
}

/// What happens to a statement.
pub(super) enum Fate {
    Runs,
    /// It is answered not before this moment of the world.
    Waits(Duration),
    Fails,
    /// It runs, and the answer is lost.
    RunsAndFails,
}

impl World {
    /// Runs a statement of the service.
    pub(crate) async fn runs<T, E: From<sqlx::Error>>(
        &self,
        work: Work,
        statement: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if is_by_hand() {
            return at_once(statement);
        }
        self.point().await;
        let lost = || E::from(sqlx::Error::Io(std::io::Error::other("disk I/O error")));
        let done = match self.fate_of(work) {
            Fate::Runs => at_once(statement),
            Fate::Waits(until) => {
                self.clock.wait_until(until).await;
                self.point().await;
                at_once(statement)
            }
            Fate::Fails => Err(lost()),
            Fate::RunsAndFails => at_once(statement).and_then(|_| Err(lost())),
        };
        self.point().await;
        done
    }

    /// A point at which the process may end. Nothing of it goes on from here then.
    pub(super) async fn point(&self) {
        if self.dies_here() {
            pending::<()>().await;
        }
    }
}
