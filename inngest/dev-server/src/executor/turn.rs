//! One turn of a run: what a reply, or a result that came later, changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::reply::Reply;
use super::retry;
use crate::duration::millis;
use crate::ids::Env;
use crate::observe::Observation;
use crate::ops::size::counted_value;
use crate::ops::{Invoke, Step};
use crate::queue::{Item, Kind};
use crate::run::Run;
use crate::run::end::{End, MAX_STATE_BYTES, MAX_STEPS};
use crate::run::wait::Wait;

/// A run in the middle of a change. What follows from it is collected and carried out afterwards.
pub(super) struct Turn<'a> {
    pub(super) run: &'a mut Run,
    pub(super) item: &'a Item,
    pub(super) env: &'a Env,
    pub(super) retry_interval: Option<Duration>,
    /// The reply began a parallel group.
    pub(super) groups: bool,
    pub(super) outcome: Outcome,
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) next: Vec<Item>,
    pub(super) waits: Vec<Wait>,
    pub(super) invocations: Vec<(Step, Invoke)>,
    pub(super) seen: Vec<Observation>,
}

impl Turn<'_> {
    /// Applies a reply. `known` are the steps whose results the call carried.
    pub(super) fn reply(&mut self, reply: Reply, known: &HashSet<String>) -> Result<(), End> {
        match reply {
            Reply::Done(output) => Err(End::Completed(output)),
            Reply::Failed(failure) if failure.no_retry || !self.has_attempts_left() => {
                Err(End::Failed(failure))
            }
            Reply::Failed(failure) => {
                self.retry(None, failure.output, failure.retry_at);
                Ok(())
            }
            Reply::Ops { ops, version, no_retry, retry_at } => {
                if self.run.version == -1 {
                    self.run.version = version;
                }
                self.ops(ops, known, no_retry, retry_at)
            }
        }
    }

    /// Saves a final result, then asks the function what comes next.
    pub(super) fn save(&mut self, step: &Step, memo: Arc<Value>) -> Result<(), End> {
        let bytes = counted_value(&memo);
        self.save_sized(step, memo, bytes)
    }

    /// The same, of a result whose size is known.
    pub(super) fn save_sized(
        &mut self,
        step: &Step,
        memo: Arc<Value>,
        bytes: usize,
    ) -> Result<(), End> {
        let finished = self.run.save(step, memo, bytes, self.item.attempt);
        self.outcome.seen.extend(finished);
        if self.run.memo.len() > MAX_STEPS {
            return Err(End::too_many_steps());
        }
        if self.run.memo.bytes() > MAX_STATE_BYTES {
            let message = "The function run exceeded the state size limit of 32 MiB.";
            return Err(End::named("InngestErrStateOverflowed", message, None));
        }
        if self.run.pending.is_empty() || step.race {
            self.discover(Some(step.hash.clone()));
        }
        Ok(())
    }

    pub(super) fn discover(&mut self, after: Option<String>) {
        // The parallel group is over (P-162). After a sleep, and after a reply that began the group, the next call still
        // carries the flag [observed on 1.43] and clears it.
        let is_over = !self.groups && !matches!(self.item.kind, Kind::Sleep(_));
        if self.run.coalesces() && is_over {
            self.run.force_step_plan = false;
        }
        self.enqueue(Kind::Discovery, after, self.env.now());
    }

    pub(super) fn enqueue(&mut self, kind: Kind, after: Option<String>, due: i64) {
        self.outcome.next.push(Item::first(self.run.id, kind, after, due, self.env.job()));
    }

    pub(super) fn retry(&mut self, step: Option<String>, error: Value, retry_at: Option<i64>) {
        let now = self.env.now();
        let wait = retry::backoff(self.item.attempt, self.retry_interval);
        let due = retry_at.unwrap_or(now.saturating_add(millis(wait)));
        let after = Duration::from_millis(u64::try_from(due - now).unwrap_or(0));
        let (run_id, function_id) = self.run.ids();
        let attempt = self.item.attempt + 1;
        self.outcome.next.push(self.item.retry(due));
        self.outcome.seen.push(Observation::RetryScheduled {
            run_id,
            function_id,
            step,
            attempt,
            after,
            error,
        });
    }

    pub(super) fn has_attempts_left(&self) -> bool {
        self.item.attempt + 1 < self.run.function.max_attempts
    }
}
