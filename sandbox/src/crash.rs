use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls `future` until it is done, or has waited `waits` times: then it is dropped, as a crash would.
///
/// Returns its result, or nothing after a crash.
pub async fn crash_after<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
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

/// How many times each schedule of crashes is tried (`CRASH_ROUNDS`); network and disk make each time a little different.
#[expect(clippy::disallowed_methods, reason = "how long to test is asked of the environment")]
pub fn crash_rounds() -> usize {
    std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
