//! Crashes at every await point, against an ERP and an amoCRM that can do everything wrong.
//!
//! The invariant: a lead that was answered 200 has exactly one record, or one visible item that names it; never none
//! in silence, never two. `CRASH_ROUNDS=20 cargo test crash -- --nocapture` tries twenty times as many schedules.

mod deals;
mod delivery;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls `future` until it is done, or has waited `waits` times: then it is dropped, as a crash would.
///
/// Returns its result, or nothing after a crash.
pub(crate) async fn crash_after<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut waited = 0;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            waited += 1;
            if waited > waits { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await
}

/// How many times each schedule is tried; network and disk make each time a little different.
#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
fn rounds() -> usize {
    std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
