//! Goes on with a call after a step has run, by saving the step through the checkpoint API (P-194..P-196).

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::call_state::CallState;
use super::driver::{Dispatch, FunctionFuture, Outcome, next_outcome};
use super::save::{QueueItem, SaveError, save};
use super::slots::Executed;
use crate::{Checkpointing, json};

/// The result of a step as every later call will see it.
fn as_replayed(result: &RawValue) -> Option<Arc<RawValue>> {
    let text = json::as_given_back(&serde_json::from_str(result.get()).ok()?)?;
    RawValue::from_string(text).ok().map(Arc::from)
}

/// Flush no later than at this many bytes, so that the unsaved steps fit into an answer if they must.
const MAX_UNSAVED_BYTES: usize = 2 * 1024 * 1024;

/// Drives `function` until there is something to answer. With `item`, steps are saved on the way.
pub(crate) async fn drive<'a>(
    call: &'a CallState<'a>,
    dispatch: &Dispatch,
    mut function: FunctionFuture<'a>,
    item: Option<(Checkpointing, QueueItem<'_>)>,
) -> Outcome {
    let Some((settings, item)) = item else {
        return next_outcome(call, dispatch, &mut function).await;
    };
    let mut saver = Saver { call, settings, item, started: Instant::now(), unsaved: Vec::new() };
    loop {
        match next_outcome(call, dispatch, &mut function).await {
            Outcome::Executed(executed) => match saver.take(executed).await {
                Next::GoOn => {}
                Next::Answer(outcome) => return outcome,
            },
            outcome => return saver.flush().await.unwrap_or(outcome),
        }
    }
}

enum Next {
    GoOn,
    Answer(Outcome),
}

struct Saver<'a, 'i> {
    call: &'a CallState<'a>,
    settings: Checkpointing,
    item: QueueItem<'i>,
    started: Instant,
    /// Steps that have run, and when they ended.
    unsaved: Vec<(Executed, Instant)>,
}

impl Saver<'_, '_> {
    /// Saves a step now or later, and lets the function have its result.
    async fn take(&mut self, executed: Executed) -> Next {
        let replayed = executed.result.as_deref().ok().and_then(as_replayed);
        let Some(replayed) =
            replayed.filter(|_| self.started.elapsed() < self.settings.max_runtime)
        else {
            // A failure is the server's to count, and a call that has taken long enough ends the usual way.
            return Next::Answer(match self.flush().await {
                None => Outcome::Executed(executed),
                Some(Outcome::Unsaved(mut steps)) => {
                    steps.push(executed);
                    Outcome::Unsaved(steps)
                }
                Some(outcome) => outcome,
            });
        };
        let slot = executed.slot;
        self.unsaved.push((executed, Instant::now()));
        if self.is_due()
            && let Some(outcome) = self.flush().await
        {
            return Next::Answer(outcome);
        }
        let waker = self.call.slots().resolve_fresh(slot, replayed);
        if let Some(waker) = waker {
            waker.wake();
        }
        Next::GoOn
    }

    fn is_due(&self) -> bool {
        let bytes =
            |(step, _): &(Executed, Instant)| step.result.as_ref().map_or(0, |r| r.get().len());
        self.unsaved.len() >= self.settings.steps_per_save
            || self.unsaved.first().is_some_and(|(_, t)| t.elapsed() >= self.settings.save_interval)
            || self.unsaved.iter().map(bytes).sum::<usize>() >= MAX_UNSAVED_BYTES
    }

    /// Saves what is unsaved. Returns what to answer where that does not work: the call must not go on then.
    async fn flush(&mut self) -> Option<Outcome> {
        if self.unsaved.is_empty() {
            return None;
        }
        let steps: Vec<Executed> = self.unsaved.drain(..).map(|(step, _)| step).collect();
        match save(self.call.client, self.call.run.id, &self.item, &steps).await {
            Ok(()) => {
                tracing::debug!(steps = steps.len(), "saved within the call");
                None
            }
            Err(SaveError::Stale) => Some(Outcome::Stale),
            Err(SaveError::Failed(reason)) => {
                tracing::debug!(reason, "steps could not be saved within the call");
                Some(Outcome::Unsaved(steps))
            }
        }
    }
}
