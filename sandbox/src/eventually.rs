use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Nothing is measured against it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
///
/// # Panics
/// When there is none within [`DEADLINE`]: then `what` has not happened.
#[expect(clippy::panic, reason = "a test that cannot go on stops")]
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let (started, mut pause) = (Instant::now(), tokio::time::interval(Duration::from_millis(10)));
    while started.elapsed() < DEADLINE {
        pause.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
    panic!("not within {DEADLINE:?}: {what}");
}
