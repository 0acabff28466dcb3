//! One turn of a run: what a reply, or a result that came later, changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::ops::{Invoke, Step};
use super::queue::{Item, Kind};
use super::reply::{Failure, Reply};
use super::retry;
use crate::core::Env;
use crate::observe::Observation;
use crate::run::Run;
use crate::state::Wait;

/// Limits of server 1.43, see `inngest/docs/protocol.md`.
pub(super) const MAX_STEPS: usize = 1000;
pub(crate) const MAX_STATE_BYTES: usize = 32 * 1024 * 1024;

/// How a run ends.
#[derive(Debug)]
pub(crate) enum End {
    Completed(Value),
    Failed(Failure),
    Cancelled,
}

impl End {
    /// The SDK broke a rule of the protocol, or a limit: nothing that a retry could mend.
    pub(crate) fn violation(message: impl Into<String>) -> Self {
        Self::Failed(Failure::noticed(message, true))
    }

    /// A failure that the real server names, in the shape in which it tells of it.
    pub(crate) fn named(name: &str, message: &str, details: Option<String>) -> Self {
        let reason = format!("{name}: {message}");
        let mut error = json!({"error": reason, "name": name, "message": message});
        if let (Some(details), Value::Object(fields)) = (details, &mut error) {
            fields.insert("stack".to_owned(), json!(details));
        }
        let output = json!({"error": error});
        Self::Failed(Failure { output, reason, no_retry: true, retry_at: None })
    }

    pub(super) fn too_many_steps() -> Self {
        let message = format!("The function run exceeded the step limit of {MAX_STEPS} steps.");
        Self::named("InngestErrFunctionOverflowed", &message, None)
    }
}

/// A run in the middle of a change. What follows from it is collected and carried out afterwards.
pub(crate) struct Turn<'a> {
    pub(crate) run: &'a mut Run,
    pub(crate) item: &'a Item,
    pub(crate) env: &'a Env,
    pub(crate) retry_interval: Option<Duration>,
    /// The reply began a parallel group.
    pub(crate) groups: bool,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) next: Vec<Item>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) invocations: Vec<(Step, Invoke)>,
    pub(crate) seen: Vec<Observation>,
    pub(crate) end: Option<End>,
}

impl Turn<'_> {
    /// Applies a reply. `known` are the steps that the SDK was told of.
    pub(crate) fn reply(&mut self, reply: Reply, known: &HashSet<String>) {
        match reply {
            Reply::Done(output) => self.outcome.end = Some(End::Completed(output)),
            Reply::Failed(failure) if failure.no_retry || !self.has_attempts_left() => {
                self.outcome.end = Some(End::Failed(failure));
            }
            Reply::Failed(failure) => self.retry(None, failure.output, failure.retry_at),
            Reply::Ops { ops, version, no_retry, retry_at } => {
                if self.run.version == -1 {
                    self.run.version = version;
                }
                if let Err(end) = self.ops(ops, known, no_retry, retry_at) {
                    self.outcome.end = Some(end);
                }
            }
        }
    }

    /// A result that the SDK did not bring: the end of a sleep or of a wait (P-106).
    pub(crate) fn wake(&mut self) -> Result<(), End> {
        let (step, memo) = match &self.item.kind {
            Kind::Sleep(step) => (step, Arc::new(Value::Null)),
            Kind::Resume(step, memo) => (step, Arc::clone(memo)),
            Kind::Discovery | Kind::Step(_) | Kind::Fetch(..) => return Ok(()),
        };
        let bytes = memo.to_string().len();
        self.save(step, memo, bytes)
    }

    /// Saves a final result, then asks the function what comes next.
    pub(super) fn save(&mut self, step: &Step, memo: Arc<Value>, bytes: usize) -> Result<(), End> {
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
        // The parallel group is over (P-162). After a sleep the next call still says otherwise [observed on 1.43],
        // so it is that call that clears the flag; and so it does after a reply that began the group.
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
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let due = retry_at.unwrap_or(now.saturating_add(wait_ms));
        let after = Duration::from_millis(u64::try_from(due - now).unwrap_or(0));
        self.outcome.next.push(self.item.retry(due));
        self.outcome.seen.push(Observation::RetryScheduled {
            run_id: self.run.id.to_string(),
            function_id: self.run.function.id.clone(),
            step,
            attempt: self.item.attempt + 1,
            after,
            error,
        });
    }

    pub(super) fn has_attempts_left(&self) -> bool {
        self.item.attempt + 1 < self.run.function.max_attempts
    }
}
