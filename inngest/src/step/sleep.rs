use std::time::Duration;

use super::Step;
use crate::duration::wire_duration;
use crate::engine::{Decision, Fault, Kind};

/// The longest sleep that the server grants; a longer one fails the run there (P-131).
const MAX_SLEEP: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl<'a> Step<'a> {
    /// Pauses the run for at least `duration`, rounded up to whole milliseconds. No process waits meanwhile.
    pub fn sleep(self, id: &str, duration: Duration) -> impl Future<Output = ()> + use<'a> {
        let slot = self.call.make(id, Kind::Sleep { duration: wire_duration(duration) });
        async move {
            if duration > MAX_SLEEP {
                slot.call().fault(Fault::SleepTooLong {
                    step: slot.step().id.clone(),
                    days: duration.as_secs() / (24 * 60 * 60),
                });
            }
            match slot.decision().await {
                Decision::Memo(_) => {}
                // The driver executes only steps that run code.
                Decision::Execute => std::future::pending().await,
            }
        }
    }
}
