//! One turn of a run: what a reply, or the end of a sleep, changes.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::ops::{Action, Op};
use super::queue::{Item, Kind};
use super::reply::{Failure, Reply};
use super::retry;
use crate::core::Env;
use crate::observe::Observation;
use crate::run::Run;

/// Limits of server 1.43 (facts 7.5).
const MAX_STEPS: usize = 1000;
const MAX_STATE_BYTES: usize = 32 * 1024 * 1024;
/// The real server asks for ever when the SDK has nothing to say; here that is an error.
const MAX_IDLE_DISCOVERIES: u32 = 50;

/// How a run ends.
#[derive(Debug)]
pub(crate) enum End {
    Completed(Value),
    Failed(Failure),
}

impl End {
    /// The SDK broke a rule of the protocol, or a limit: nothing that a retry could mend.
    pub(crate) fn violation(message: impl Into<String>) -> Self {
        Self::Failed(Failure::noticed(message, true))
    }

    fn overflow(name: &str, message: &str) -> Self {
        let output = json!({"name": name, "message": message});
        Self::Failed(Failure { output, reason: name.to_owned(), no_retry: true, retry_at: None })
    }
}

/// A run in the middle of a change. What follows from it is collected and carried out afterwards.
pub(crate) struct Turn<'a> {
    pub(crate) run: &'a mut Run,
    pub(crate) item: &'a Item,
    pub(crate) env: &'a Env,
    pub(crate) retry_interval: Option<Duration>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) next: Vec<Item>,
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
                if let Err(end) = self.ops(&ops, known, no_retry, retry_at) {
                    self.outcome.end = Some(end);
                }
            }
        }
    }

    fn ops(
        &mut self,
        ops: &[Op],
        known: &HashSet<String>,
        no_retry: bool,
        retry_at: Option<i64>,
    ) -> Result<(), End> {
        if ops.iter().all(|op| op.action == Action::None && op.id.is_empty()) {
            return self.idle();
        }
        self.run.idle_discoveries = 0;
        self.check(ops, known)?;
        let plans = ops.iter().any(|op| matches!(op.action, Action::Planned | Action::Sleep(_)));
        if ops.len() > 1 {
            self.run.force_step_plan = true;
            if plans && self.run.coalesces() {
                // A step that an earlier reply scheduled may be over by now; nobody would take it off again.
                let waiting = ops.iter().filter(|op| !self.run.memo.contains(&op.id));
                self.run.pending.extend(waiting.map(|op| op.id.clone()));
            }
        }
        for op in ops {
            match &op.action {
                Action::Ran { memo, bytes } => self.save(op, op.race, memo.clone(), *bytes)?,
                Action::Errored(error) if !no_retry && self.has_attempts_left() => {
                    self.retry(Some(op.name.clone()), error.clone(), retry_at);
                }
                Action::Errored(error) | Action::Failed(error) => {
                    let memo = json!({"error": error});
                    let bytes = memo.to_string().len();
                    self.save(op, self.races(), memo, bytes)?;
                }
                Action::Planned => self.plan(op),
                Action::Sleep(duration) => self.sleep(op, duration)?,
                Action::None => {}
            }
        }
        Ok(())
    }

    /// Saves a final result, then asks the function what comes next.
    pub(super) fn save(
        &mut self,
        op: &Op,
        race: bool,
        memo: Value,
        bytes: usize,
    ) -> Result<(), End> {
        let result = match &memo {
            Value::Object(fields) => match fields.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(fields.get("data").cloned().unwrap_or_default()),
            },
            raw => Ok(raw.clone()),
        };
        let first = self.run.memo.save(&op.id, memo, bytes);
        self.run.pending.remove(&op.id);
        if first {
            self.outcome.seen.push(Observation::StepFinished {
                run_id: self.run.id.to_string(),
                function_id: self.run.function.id.clone(),
                step_id: op.id.clone(),
                name: op.name.clone(),
                result,
                attempt: self.item.attempt,
            });
        }
        if self.run.memo.len() > MAX_STEPS {
            return Err(steps_overflow());
        }
        if self.run.memo.bytes() > MAX_STATE_BYTES {
            let message = "The function run exceeded the state size limit of 32 MiB.";
            return Err(End::overflow("InngestErrStateOverflowed", message));
        }
        if self.run.pending.is_empty() || race {
            self.discover(Some(op.id.clone()));
        }
        Ok(())
    }

    fn discover(&mut self, after: Option<String>) {
        // The parallel group is over (P-162). After a sleep the next call still says otherwise [observed on 1.43],
        // so it is that call that clears the flag.
        if self.run.coalesces() && !matches!(self.item.kind, Kind::Wake { .. }) {
            self.run.force_step_plan = false;
        }
        self.enqueue(Kind::Discovery, after, self.env.now());
    }

    pub(super) fn enqueue(&mut self, kind: Kind, after: Option<String>, due: i64) {
        self.outcome.next.push(Item::first(self.run.id, kind, after, due, self.env.job()));
    }

    fn retry(&mut self, step: Option<String>, error: Value, retry_at: Option<i64>) {
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

    fn has_attempts_left(&self) -> bool {
        self.item.attempt + 1 < self.run.function.max_attempts
    }

    fn races(&self) -> bool {
        matches!(self.item.kind, Kind::Step { race: true, .. } | Kind::Wake { race: true, .. })
    }

    /// The SDK has nothing to add (P-139). While other work of the run goes on, its end asks again.
    fn idle(&mut self) -> Result<(), End> {
        self.run.idle_discoveries += 1;
        if self.run.idle_discoveries > MAX_IDLE_DISCOVERIES {
            return Err(End::violation(format!(
                "the SDK answered {MAX_IDLE_DISCOVERIES} calls in a row with no ops; \
                 the real server would ask for ever (P-139)"
            )));
        }
        if self.run.outstanding <= 1 {
            self.discover(self.item.after.clone());
        }
        Ok(())
    }

    /// What the real server would hang, loop or run code twice on.
    fn check(&self, ops: &[Op], known: &HashSet<String>) -> Result<(), End> {
        if ops.len() > MAX_STEPS {
            return Err(steps_overflow());
        }
        if ops.iter().filter(|op| op.is_executed()).count() > 1 {
            return Err(End::violation(
                "the SDK executed more than one step in one reply; the code after them would run \
                 twice (P-005)",
            ));
        }
        for op in ops {
            if op.action == Action::None {
                return Err(End::violation(
                    "the SDK sent op None with an id or beside other ops, which can leave the run \
                     hanging (P-139)",
                ));
            }
            if known.contains(&op.id) && !op.is_executed() {
                return Err(End::violation(format!(
                    "the SDK reported step {:?} again although its result was in the request \
                     (P-158)",
                    op.name
                )));
            }
        }
        match &self.item.kind {
            Kind::Step { hash, name, .. } if !ops.iter().any(|op| op.id == *hash) => {
                Err(End::violation(format!(
                    "the SDK was called for step {name:?} but reported another one (P-159)"
                )))
            }
            _ => Ok(()),
        }
    }
}

fn steps_overflow() -> End {
    let message = format!("The function run exceeded the step limit of {MAX_STEPS} steps.");
    End::overflow("InngestErrFunctionOverflowed", &message)
}
