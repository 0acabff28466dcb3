//! The ops of one reply, carried out.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::turn::Turn;
use crate::observe::Observation;
use crate::ops::{Action, Op, Step};
use crate::queue::Kind;
use crate::run::end::End;

/// When the SDK answers without ops, the real server calls it again without end; here that is an error.
const MAX_IDLE_DISCOVERIES: u32 = 50;

impl Turn<'_> {
    pub(super) fn ops(
        &mut self,
        mut ops: Vec<Op>,
        known: &HashSet<String>,
        no_retry: bool,
        retry_at: Option<i64>,
    ) -> Result<(), End> {
        if ops.iter().all(|op| op.action == Action::None && op.step.hash.is_empty()) {
            return self.idle();
        }
        self.run.idle_discoveries = 0;
        self.check(&ops, known)?;
        self.ignore(&mut ops);
        if ops.len() > 1 {
            self.run.force_step_plan = true;
            self.groups = true;
            if ops.iter().any(Op::is_plan) && self.run.coalesces() {
                // A step that an earlier reply scheduled may be over by now, and would stay pending.
                let waiting = ops.iter().filter(|op| !self.run.memo.contains(&op.step.hash));
                self.run.pending.extend(waiting.map(|op| op.step.hash.clone()));
            }
        }
        // A wait begins before anything that could bring its event (P-166).
        ops.sort_by_key(|op| !matches!(op.action, Action::WaitForEvent(_)));
        for op in &ops {
            self.carry_out(op, no_retry, retry_at)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, op: &Op, no_retry: bool, retry_at: Option<i64>) -> Result<(), End> {
        let step = &op.step;
        match &op.action {
            Action::Ran { memo, bytes } => {
                return self.save_sized(step, Arc::new(memo.clone()), *bytes);
            }
            Action::Errored(error) if !no_retry && self.has_attempts_left() => {
                self.retry(Some(step.name.clone()), error.clone(), retry_at);
            }
            Action::Errored(error) | Action::Failed(error) => return self.save_error(step, error),
            Action::Planned => _ = self.schedule(step, Kind::Step(step.clone()), self.env.now()),
            Action::Fetch(fetch) => {
                let kind = Kind::Fetch(step.clone(), Arc::new(fetch.clone()));
                self.schedule(step, kind, self.env.now());
            }
            Action::Sleep(duration) => return self.sleep(step, duration),
            Action::WaitForEvent(wait) => return self.wait_for_event(step, wait),
            Action::WaitForSignal(wait) => return self.wait_for_signal(step, wait),
            Action::Invoke(invoke) => return self.invoke(step, invoke),
            Action::Complete(output) => return Err(End::Completed(output.clone())),
            Action::Discover => self.discover(self.item.after.clone()),
            Action::None | Action::Ignored(_) => {}
        }
        Ok(())
    }

    /// Whether a failed step is part of a race is known from the call that ran it, not from its op.
    pub(super) fn save_error(&mut self, step: &Step, error: &Value) -> Result<(), End> {
        let race = self.item.step().map_or(step.race, |planned| planned.race);
        self.save(&Step { race, ..step.clone() }, Arc::new(json!({"error": error})))
    }

    /// Leaves out ops that are not carried out here, and logs them.
    fn ignore(&mut self, ops: &mut Vec<Op>) {
        let count = ops.len();
        ops.retain(|op| {
            let Action::Ignored(code) = op.action else { return true };
            tracing::warn!(op = code, step = op.step.name, "this dev server ignores an op");
            let (run_id, function_id) = self.run.ids();
            self.outcome.seen.push(Observation::OpIgnored {
                run_id,
                function_id,
                op: code.to_owned(),
            });
            false
        });
        if ops.is_empty() && count > 0 {
            // Nothing else would ask the function to go on.
            self.discover(self.item.after.clone());
        }
    }

    /// The SDK returned no op (P-139). It is called again now, or when other work of the run is done.
    fn idle(&mut self) -> Result<(), End> {
        self.run.idle_discoveries += 1;
        if self.run.idle_discoveries > MAX_IDLE_DISCOVERIES {
            return Err(End::violation(format!(
                "the SDK answered {MAX_IDLE_DISCOVERIES} calls in a row with no ops; \
                 the real server would call without end (P-139)"
            )));
        }
        if self.run.outstanding <= 1 {
            self.discover(self.item.after.clone());
        }
        Ok(())
    }
}
