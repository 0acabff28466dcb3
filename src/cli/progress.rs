//! A sign of life on a terminal, while something takes longer than a second.

use std::future::Future;
use std::io::{IsTerminal as _, Write, stderr};
use std::time::Duration;

use tokio::time::{Instant, interval_at};

const SECOND: Duration = Duration::from_secs(1);

/// Back to the begin of the line, which is cleared.
const CLEAR: &str = "\r\x1b[K";

/// Does `work`, and says what takes so long where a person can see it.
pub(super) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    during_on(&mut stderr(), what, work).await
}

async fn during_on<T>(terminal: &mut impl Write, what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
    let mut passed = 0_u64;
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                if passed > 0 {
                    let _ = write!(terminal, "{CLEAR}");
                }
                return done;
            }
            _ = seconds.tick() => {
                passed += 1;
                // A terminal that has gone is no reason to stop.
                let _ = write!(terminal, "{CLEAR}{what} ({passed} s)");
                let _ = terminal.flush();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::during_on;

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_than_a_second_shows_how_long_and_leaves_nothing_behind() {
        let mut terminal = Vec::new();
        let work = async |millis| tokio::time::sleep(Duration::from_millis(millis)).await;
        during_on(&mut terminal, "asking", work(999)).await;
        assert!(terminal.is_empty());
        during_on(&mut terminal, "asking", work(2500)).await;
        let said = String::from_utf8(terminal).unwrap();
        assert_eq!(said, "\r\x1b[Kasking (1 s)\r\x1b[Kasking (2 s)\r\x1b[K");
    }
}
