//! Steps that happen later: planned ones, sleeps and requests.

use std::sync::Arc;
use std::time::Duration;

use super::retry::date_ms;
use super::turn::Turn;
use crate::duration::{self, millis};
use crate::observe::Observation;
use crate::ops::{Fetch, Step};
use crate::queue::Kind;
use crate::run::end::End;

/// Longest sleep or wait (facts 7.5).
const MAX_TIMEOUT: Duration = Duration::from_secs(366 * 86_400);

impl Turn<'_> {
    /// Calls the function back for one step (P-130). A step is scheduled once, however often it is reported (P-171).
    pub(super) fn plan(&mut self, step: &Step) {
        if self.schedule_once(step) {
            self.enqueue(Kind::Step(step.clone()), self.item.after.clone(), self.env.now());
        }
    }

    /// Makes a request for the function (P-135, P-136).
    pub(super) fn fetch(&mut self, step: &Step, fetch: &Fetch) {
        if self.schedule_once(step) {
            let kind = Kind::Fetch(step.clone(), Arc::new(fetch.clone()));
            self.enqueue(kind, self.item.after.clone(), self.env.now());
        }
    }

    /// Lets the run sleep (P-131).
    pub(super) fn sleep(&mut self, step: &Step, duration: &str) -> Result<(), End> {
        let now = self.env.now();
        let duration = self.duration(step, "sleep", duration)?;
        if self.schedule_once(step) {
            let kind = Kind::Sleep(step.clone());
            self.enqueue(kind, self.item.after.clone(), now.saturating_add(millis(duration)));
            let ((run_id, function_id), name) = (self.run.ids(), step.name.clone());
            self.outcome.seen.push(Observation::SleepStarted {
                run_id,
                function_id,
                name,
                duration,
            });
        }
        Ok(())
    }

    /// A duration, or the time left until a date, as an op gives it.
    pub(super) fn duration(&self, step: &Step, what: &str, text: &str) -> Result<Duration, End> {
        let duration = read(text, self.env.now()).ok_or_else(|| {
            End::violation(format!(
                "{what} {:?} has the duration {text:?}, on which the real server would hang (P-003)",
                step.name
            ))
        })?;
        if duration > MAX_TIMEOUT {
            return Err(End::violation(format!(
                "InngestErrTimeoutTooLong: {what} {:?} is longer than 366 days",
                step.name
            )));
        }
        Ok(duration)
    }

    pub(super) fn schedule_once(&mut self, step: &Step) -> bool {
        self.run.scheduled.insert(step.hash.clone())
    }
}

/// An empty text, a negative duration and a date in the past are zero.
fn read(text: &str, now_ms: i64) -> Option<Duration> {
    if text.is_empty() {
        return Some(Duration::ZERO);
    }
    if let Some(positive) = text.strip_prefix('-') {
        return duration::parse(positive).map(|_| Duration::ZERO);
    }
    duration::parse(text).or_else(|| {
        let left = date_ms(text)?.saturating_sub(now_ms);
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    })
}
