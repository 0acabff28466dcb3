//! Replies that the real server would hang on, loop on, or run code twice for.

use std::collections::HashSet;

use super::turn::Turn;
use crate::ops::{Action, Op};
use crate::queue::Kind;
use crate::run::end::{End, MAX_STEPS};

impl Turn<'_> {
    pub(super) fn check(&self, ops: &[Op], known: &HashSet<String>) -> Result<(), End> {
        if ops.len() > MAX_STEPS {
            return Err(End::too_many_steps());
        }
        if let Some(problem) = self.runs_code_twice(ops) {
            return Err(End::violation(problem));
        }
        for op in ops {
            if op.action == Action::None {
                return Err(End::violation(
                    "the SDK sent op None with an id or beside other ops, which can leave the run \
                     hanging (P-139)",
                ));
            }
            if known.contains(&op.step.hash) && op.is_plan() {
                return Err(End::violation(format!(
                    "the SDK reported step {:?} again although its result was in the request \
                     (P-158)",
                    op.step.name
                )));
            }
        }
        match &self.item.kind {
            Kind::Step(step) if !ops.iter().any(|op| op.step.hash == step.hash) => {
                Err(End::violation(format!(
                    "the SDK was called for step {:?} but reported another one (P-159)",
                    step.name
                )))
            }
            _ => Ok(()),
        }
    }

    /// Every result of a reply asks for its own discovery (P-005), unless the run is over, or the results belong to a
    /// group with something that is yet to come. A run that uses checkpoints may answer what it could not save (P-195).
    fn runs_code_twice(&self, ops: &[Op]) -> Option<&'static str> {
        let is_complete = |op: &Op| matches!(op.action, Action::Complete(_));
        let executed = ops.iter().filter(|op| op.is_executed()).count();
        let grouped = self.run.coalesces() && ops.iter().any(Op::is_plan);
        let allowed = grouped || self.run.checkpointed || ops.iter().any(is_complete);
        (executed > 1 && !allowed).then_some(
            "the SDK executed more than one step in one reply; the code after them would run \
             twice (P-005)",
        )
    }
}
