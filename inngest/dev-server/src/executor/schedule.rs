//! Steps that happen later.

use std::time::Duration;

use super::retry::date_ms;
use super::turn::Turn;
use crate::duration::{self, millis};
use crate::observe::Observation;
use crate::ops::Step;
use crate::queue::Kind;
use crate::run::end::End;

/// Longest sleep or wait (server 1.43).
const MAX_TIMEOUT: Duration = Duration::from_secs(366 * 86_400);

impl Turn<'_> {
    /// Puts an item of a step into the queue. A step is scheduled once, however often it is reported (P-171).
    pub(super) fn schedule(&mut self, step: &Step, kind: Kind, due: i64) -> bool {
        let is_new = self.schedule_once(step);
        if is_new {
            self.enqueue(kind, self.item.after.clone(), due);
        }
        is_new
    }

    pub(super) fn schedule_once(&mut self, step: &Step) -> bool {
        self.run.scheduled.insert(step.hash.clone())
    }

    /// Lets the run sleep (P-131).
    pub(super) fn sleep(&mut self, step: &Step, duration: &str) -> Result<(), End> {
        let duration = self.duration(step, "sleep", duration)?;
        let due = self.env.now().saturating_add(millis(duration));
        if self.schedule(step, Kind::Sleep(step.clone()), due) {
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
            let message = format!(
                "The {what} {text:?} ends more than one year in the future; {what}s may last at most one year."
            );
            return Err(End::named("InngestErrTimeoutTooLong", &message, None));
        }
        Ok(duration)
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
