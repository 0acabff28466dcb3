//! Steps that happen later: planned ones, sleeps and requests.

use std::sync::Arc;
use std::time::Duration;

use super::ops::{Fetch, Step};
use super::queue::Kind;
use super::retry::date_ms;
use super::turn::{End, Turn};
use crate::observe::Observation;
use crate::registry::parse_duration;

/// Longest sleep or wait (P-131).
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
            self.outcome.seen.push(Observation::SleepStarted {
                run_id: self.run.id.to_string(),
                function_id: self.run.function.id.clone(),
                name: step.name.clone(),
                duration,
            });
        }
        Ok(())
    }

    /// A duration, or the time until a moment, as an op gives it.
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

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Nothing, a negative duration and the past mean no time at all.
fn read(text: &str, now_ms: i64) -> Option<Duration> {
    if text.is_empty() {
        return Some(Duration::ZERO);
    }
    if let Some(positive) = text.strip_prefix('-') {
        return parse_duration(positive).map(|_| Duration::ZERO);
    }
    parse_duration(text).or_else(|| {
        let left = date_ms(text)?.saturating_sub(now_ms);
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    })
}
