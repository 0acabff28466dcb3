//! Steps saved while their call goes on (P-194).

use std::sync::Arc;

use ulid::Ulid;

use super::State;
use crate::ops::{Action, Op};
use crate::run::end::MAX_STATE_BYTES;

/// The generation of a younger request is not checked, as on the real server.
const FRESH_MS: i64 = 10_000;

/// A request to save steps.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) run: Ulid,
    /// The job that the request belongs to.
    pub(crate) job: Option<String>,
    pub(crate) generation: Option<u32>,
    pub(crate) request_started_at: Option<i64>,
    pub(crate) ops: Vec<Op>,
}

/// Why steps were not saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("run not found in state store")]
    RunNotFound,
    #[error("cannot checkpoint async steps")]
    AsyncSteps,
    #[error("cannot checkpoint opcode: {0}")]
    Opcode(&'static str),
    #[error("run state size limit exceeded: state size overflowed")]
    StateTooLarge,
    /// The steps are saved all the same.
    #[error("queue item not found")]
    NoQueueItem,
    #[error("stale dispatch: queue item not found")]
    Gone,
    #[error(
        "stale dispatch: dispatch generation {asked} does not match queue item generation {current}"
    )]
    WrongGeneration { asked: u32, current: u32 },
}

impl State {
    /// Saves steps while their call goes on. The first result of a step stays (P-158).
    ///
    /// The attempts of the call stay as they are: server 1.43 does reset them in its queue, but the call in flight is
    /// judged by what it began with, and its retry overwrites the reset [observed on 1.43].
    pub(crate) fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        let is_async = |op: &Op| {
            matches!(op.action, Action::Errored(_)) || op.is_plan() && op.action != Action::Planned
        };
        if self.running(checkpoint.run).is_none() {
            return Err(CheckpointError::RunNotFound);
        }
        if checkpoint.ops.iter().any(is_async) {
            return Err(CheckpointError::AsyncSteps);
        }
        self.validate_dispatch(checkpoint, now_ms)?;
        let run = self.runs.get_mut(&checkpoint.run).ok_or(CheckpointError::RunNotFound)?;
        run.checkpointed = true;
        let sizes = checkpoint.ops.iter().map(|op| match &op.action {
            Action::Ran { bytes, .. } => *bytes,
            _ => 0,
        });
        if run.memo.bytes() + sizes.sum::<usize>() > MAX_STATE_BYTES {
            return Err(CheckpointError::StateTooLarge);
        }
        for op in &checkpoint.ops {
            match &op.action {
                Action::Ran { memo, bytes } => {
                    let memo = Arc::new(memo.clone());
                    self.seen.extend(run.save(&op.step, memo, *bytes, 0));
                }
                Action::Failed(_) => return Err(CheckpointError::Opcode("StepFailed")),
                Action::Complete(_) => return Err(CheckpointError::Opcode("RunComplete")),
                Action::None => return Err(CheckpointError::Opcode("None")),
                // The start of a step matters to a user interface only.
                _ => {}
            }
        }
        match &checkpoint.job {
            Some(job) if !self.calls.in_flight.contains_key(job) => {
                Err(CheckpointError::NoQueueItem)
            }
            _ => Ok(()),
        }
    }

    /// Refuses a checkpoint of a call that was abandoned and made again. Server 1.43 has this check, but makes it only for
    /// accounts where it is switched on.
    fn validate_dispatch(
        &self,
        checkpoint: &Checkpoint,
        now_ms: i64,
    ) -> Result<(), CheckpointError> {
        let Some(asked) = checkpoint.generation.filter(|generation| *generation != 0) else {
            return Ok(());
        };
        let Some(job) = &checkpoint.job else { return Ok(()) };
        let age = checkpoint.request_started_at.map(|started| now_ms.saturating_sub(started));
        if age.is_some_and(|age| (0..FRESH_MS).contains(&age)) {
            return Ok(());
        }
        match self.calls.in_flight.get(job) {
            None => Err(CheckpointError::Gone),
            Some(call) if call.generation == asked => Ok(()),
            Some(call) => Err(CheckpointError::WrongGeneration { asked, current: call.generation }),
        }
    }
}
