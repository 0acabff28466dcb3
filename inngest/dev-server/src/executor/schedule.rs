//! Steps that happen later: planned ones and sleeps.

use std::time::Duration;

use serde_json::Value;

use super::ops::{Action, Op};
use super::queue::Kind;
use super::retry::date_ms;
use super::turn::{End, Turn};
use crate::observe::Observation;
use crate::registry::parse_duration;

const MAX_SLEEP: Duration = Duration::from_secs(366 * 86_400);

impl Turn<'_> {
    /// Calls the function back for one step (P-130). A step is scheduled once, however often it is reported (P-171).
    pub(super) fn plan(&mut self, op: &Op) {
        if self.schedule_once(op) {
            let kind = Kind::Step { hash: op.id.clone(), name: op.name.clone(), race: op.race };
            self.enqueue(kind, self.item.after.clone(), self.env.now());
        }
    }

    /// Lets the run sleep (P-131).
    pub(super) fn sleep(&mut self, op: &Op, duration: &str) -> Result<(), End> {
        let now = self.env.now();
        let duration = sleep_duration(duration, now).ok_or_else(|| {
            End::violation(format!(
                "sleep {:?} has the duration {duration:?}, on which the real server would hang \
                 (P-003)",
                op.name
            ))
        })?;
        if duration > MAX_SLEEP {
            return Err(End::violation(format!(
                "InngestErrTimeoutTooLong: sleep {:?} is longer than 366 days",
                op.name
            )));
        }
        if self.schedule_once(op) {
            let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
            let kind = Kind::Wake { hash: op.id.clone(), name: op.name.clone(), race: op.race };
            self.enqueue(kind, self.item.after.clone(), now.saturating_add(millis));
            self.outcome.seen.push(Observation::SleepStarted {
                run_id: self.run.id.to_string(),
                function_id: self.run.function.id.clone(),
                name: op.name.clone(),
                duration,
            });
        }
        Ok(())
    }

    /// The sleep of this item is over: its result is `null` (P-106).
    pub(crate) fn wake(&mut self) -> Result<(), End> {
        let Kind::Wake { hash, name, race } = &self.item.kind else { return Ok(()) };
        let (id, name, race) = (hash.clone(), name.clone(), *race);
        let op = Op { id, name, race, action: Action::None };
        self.save(&op, race, Value::Null, "null".len())
    }

    fn schedule_once(&mut self, op: &Op) -> bool {
        self.run.scheduled.insert(op.id.clone())
    }
}

/// A duration, or a moment; nothing, a negative duration and the past mean no sleep at all.
fn sleep_duration(text: &str, now_ms: i64) -> Option<Duration> {
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
