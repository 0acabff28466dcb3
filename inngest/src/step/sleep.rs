use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{Step, limits};
use crate::engine::{StepSlot, Work};

impl<'a> Step<'a> {
    /// Pauses the run for at least `duration`, rounded up to whole milliseconds and at most 366 days (P-131).
    /// No process waits meanwhile.
    pub fn sleep(self, id: &str, duration: Duration) -> Sleep<'a> {
        Sleep { slot: self.make(id), until: Until::Elapsed(duration) }
    }

    /// Pauses the run until `time`, at most 366 days ahead. A time in the past is no pause.
    ///
    /// The time must not change from call to call: take it from the event or from a step.
    pub fn sleep_until(self, id: &str, time: impl Into<SystemTime>) -> Sleep<'a> {
        Sleep { slot: self.make(id), until: Until::Time(time.into()) }
    }
}

/// A pause: [`Step::sleep`], [`Step::sleep_until`].
#[must_use = "a step that is not awaited does not exist"]
pub struct Sleep<'a> {
    slot: StepSlot<'a>,
    until: Until,
}

enum Until {
    Elapsed(Duration),
    Time(SystemTime),
}

impl Sleep<'_> {
    fn describe(&self) -> Result<Work, String> {
        let duration = match self.until {
            Until::Elapsed(duration) => limits::duration("sleep", duration),
            // The server distinguishes a date from a duration.
            Until::Time(time) => limits::time(time, self.slot.call().clock().now()),
        };
        let opts = Map::from_iter([("duration".to_owned(), Value::String(duration?))]);
        Ok(Work::Ask { op: "Sleep", opts })
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.slot.poll_memo(cx, || self.describe()).map(|_| ())
    }
}
