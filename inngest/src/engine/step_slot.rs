//! One step of a call: from its first poll to its result.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::value::RawValue;
use tracing::Span;

use super::call_state::CallState;
use super::inside_step::InsideStep;
use super::policy::RetryPolicy;
use super::slots::{Executed, Fault, Phase, Running, Slots, Work};
use super::step_id::StepId;
use crate::middleware::{Hooks, PayloadKind, StepInfo};
use crate::{Error, Retry, json, spans};

/// Whether a step has its result or must produce it.
pub(crate) enum Decision<'a> {
    /// Use the result that the server sent.
    Memo(&'a RawValue),
    /// Use the result that was saved within this call.
    Fresh(Arc<RawValue>),
    /// Run the code now.
    Execute,
}

/// Ids beyond this are shown badly, and by some servers cut (P-149).
const LONG_ID: usize = 255;

/// The place of one step in the call. Dropping it takes the step out of the program.
pub(crate) struct StepSlot<'a> {
    call: &'a CallState<'a>,
    step: StepId,
    index: usize,
}

impl<'a> StepSlot<'a> {
    pub(crate) fn new(call: &'a CallState<'a>, id: &str, race: bool) -> Self {
        let (step, index) = call.enlist(id, race);
        Self { call, step, index }
    }

    pub(crate) fn step(&self) -> &StepId {
        &self.step
    }

    pub(crate) fn call(&self) -> &'a CallState<'a> {
        self.call
    }

    /// Whether the server has a result, so that the step needs no report.
    pub(crate) fn is_saved(&self) -> bool {
        self.call.memo.is_finished(&self.step.hash)
    }

    /// The arguments with which a person wants the step to run again (P-154).
    pub(crate) fn edited_input(&self) -> Option<Vec<&'a RawValue>> {
        self.call.memo.edited_input(&self.step.hash)
    }

    /// Pends until the driver has decided about this step, whose code `work` describes.
    pub(crate) fn decision<'s>(
        &'s self,
        work: &'s mut Option<Work>,
    ) -> impl Future<Output = Decision<'a>> + Send + use<'s, 'a> {
        std::future::poll_fn(move |cx| {
            self.poll_decision(cx, || Ok(work.take().unwrap_or(Work::RUN)))
        })
    }

    /// Pends until the server has carried the step out. `describe` is asked once, when the function first
    /// waits for the step, unless the server has its result; its error ends the run.
    pub(crate) fn poll_memo(
        &self,
        cx: &Context<'_>,
        describe: impl FnOnce() -> Result<Work, String>,
    ) -> Poll<&'a RawValue> {
        match self.poll_decision(cx, describe) {
            Poll::Ready(Decision::Memo(memo)) => Poll::Ready(memo),
            // The driver executes only steps that run code.
            Poll::Ready(Decision::Fresh(_) | Decision::Execute) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_decision(
        &self,
        cx: &Context<'_>,
        describe: impl FnOnce() -> Result<Work, String>,
    ) -> Poll<Decision<'a>> {
        let mut slots = self.call.slots();
        let Some(slot) = slots.all.get(self.index) else {
            return Poll::Pending;
        };
        match slot.phase {
            Phase::Created => self.enter(&mut slots, describe),
            Phase::Resolved => {
                let fresh = slot.fresh.clone().map(Decision::Fresh);
                let decision =
                    fresh.or_else(|| self.call.memo.get(&self.step.hash).map(Decision::Memo));
                return decision.map_or(Poll::Pending, Poll::Ready);
            }
            Phase::Running => return Poll::Ready(Decision::Execute),
            Phase::Found | Phase::Waiting | Phase::Ran | Phase::Gone => {}
        }
        let Slots { all, order, .. } = &mut *slots;
        if let Some(slot) = all.get_mut(self.index) {
            slot.polled = order.waits();
            match &mut slot.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    fn enter(&self, slots: &mut Slots, describe: impl FnOnce() -> Result<Work, String>) {
        if self.step.id.is_empty() {
            slots.fail(Fault::EmptyId);
        }
        if self.step.id.len() > LONG_ID {
            tracing::warn!(step = &*self.step.id, "the id of a step has more than {LONG_ID} bytes");
        }
        if slots.inside_step {
            slots.fail(Fault::Nested { inner: self.step.id.to_string() });
        }
        let phase = if let Some(rank) = self.call.memo.rank_if_finished(&self.step.hash) {
            slots.waiting.insert((rank, self.index));
            Phase::Waiting
        } else {
            match (describe(), slots.all.get_mut(self.index)) {
                (Ok(work), Some(slot)) => slot.work = work,
                (Ok(_), None) => {}
                (Err(reason), _) => {
                    slots.fail(Fault::Unusable { step: self.step.id.to_string(), reason });
                }
            }
            slots.found.push(self.index);
            Phase::Found
        };
        slots.set_phase(self.index, phase);
    }

    /// Runs the step's code, and hands what came of it to the driver: the server must save the result before
    /// the function may see it. The next decision says when that is so.
    pub(crate) async fn execute<F>(&self, policy: RetryPolicy, code: F)
    where
        F: Future<Output = Result<Box<RawValue>, Error>>,
    {
        let hooks = self.call.hooks;
        let span = spans::of_step(self.call.function_id, self.call.run, &self.info());
        span.in_scope(|| hooks.before_step(&self.info()));
        if let Some(slot) = self.call.slots().all.get_mut(self.index) {
            slot.running = Some(Running { since: self.call.clock().now(), span: span.clone() });
            slot.policy = policy;
        }
        let result = InsideStep::new(self.call, span.clone(), std::pin::pin!(code)).await;
        let result = span.in_scope(|| result.and_then(|output| self.leaving(output)));
        self.ended(Phase::Ran, self.counted(result), hooks);
    }

    /// A result as it is saved.
    fn leaving(&self, output: Box<RawValue>) -> Result<Box<RawValue>, Error> {
        let kind = PayloadKind::Step { id: &self.step.id };
        match self.call.hooks.outgoing(kind, &output)? {
            None => Ok(output),
            Some(changed) => json::step_output(&changed).map_err(|u| u.of_result(&self.step.id)),
        }
    }

    /// An error with what follows from it, by the step's own limit.
    fn counted(&self, result: Result<Box<RawValue>, Error>) -> Result<Box<RawValue>, Error> {
        let policy = self.call.slots().all.get(self.index).map(|slot| slot.policy);
        let policy = policy.unwrap_or_default();
        let (run, step, counts) = (self.call.run, &self.step.hash, self.call.own_failures);
        let limited = policy.max_attempts.is_some();
        let result = result.map_err(|error| {
            let failures = if limited { counts.count(run.id, step) } else { 1 };
            policy.apply(error, failures, run.attempt)
        });
        let goes_on = result.as_ref().is_err_and(|error| error.retry() != Retry::Never);
        if limited && !goes_on {
            counts.forget(run.id, step);
        }
        result
    }

    fn ended(&self, phase: Phase, result: Result<Box<RawValue>, Error>, hooks: Hooks<'_>) {
        let now = self.call.clock().now();
        let mut slots = self.call.slots();
        let running = slots.all.get_mut(self.index).and_then(|slot| slot.running.take());
        drop(slots);
        let Running { since: started, span } =
            running.unwrap_or(Running { since: now, span: Span::none() });
        let took = now.duration_since(started).unwrap_or_default();
        let result = span.in_scope(|| {
            hooks.step_ended(&self.info(), result.as_ref().err(), took);
            result.map_err(|error| hooks.outgoing_error(Some(&self.step.id), error))
        });
        spans::step_ended(&span, phase == Phase::Gone, result.as_ref().err(), took);
        let mut slots = self.call.slots();
        slots.set_phase(self.index, phase);
        let input = match slots.all.get_mut(self.index).map(|slot| &mut slot.work) {
            Some(Work::Run { input, .. }) => input.take(),
            _ => None,
        };
        let executed = Executed {
            slot: self.index,
            step: self.step.clone(),
            label: slots.label(self.index),
            input,
            race: slots.all.get(self.index).is_some_and(|slot| slots.races(slot)),
            result,
            started_ns: nanoseconds(started.duration_since(UNIX_EPOCH).unwrap_or_default()),
            took_ns: nanoseconds(took),
        };
        slots.executed.get_or_insert(executed);
    }

    fn info(&self) -> StepInfo<'_> {
        let StepId { id, index, hash } = &self.step;
        StepInfo { id, index: *index, hash, kind: self.call.slots().label(self.index) }
    }
}

impl Drop for StepSlot<'_> {
    fn drop(&mut self) {
        let mut slots = self.call.slots();
        let Some((phase, race)) = slots.all.get(self.index).map(|slot| (slot.phase, slot.race))
        else {
            return;
        };
        slots.set_phase(self.index, Phase::Gone);
        slots.race_lost |= race && phase == Phase::Found;
        slots.race_over |= race && matches!(phase, Phase::Found | Phase::Waiting);
        match phase {
            Phase::Found => slots.found.retain(|&found| found != self.index),
            Phase::Waiting => {
                if let Some(rank) = self.call.memo.rank_if_finished(&self.step.hash) {
                    slots.waiting.remove(&(rank, self.index));
                }
                slots.resolved += 1;
            }
            Phase::Running => {
                drop(slots);
                self.dropped();
            }
            Phase::Created | Phase::Resolved | Phase::Ran | Phase::Gone => {}
        }
    }
}

impl StepSlot<'_> {
    /// The step's code was dropped while it ran: by a timeout or a race around it, or because the call was cut off. What
    /// the code has done is unknown, and only a failed attempt says so.
    fn dropped(&self) {
        let step = &self.step.id;
        let result = if self.call.polling.load(Ordering::Relaxed) {
            self.counted(Err(Error::from(format!(
                "step `{step}` was dropped while its code ran; put a timeout inside the step, not around it"
            ))))
        } else {
            Err(Error::from(format!("the call was cut off while the code of step `{step}` ran")))
        };
        // A hook that panics during a panic would end the process.
        let hooks = if std::thread::panicking() { Hooks::NONE } else { self.call.hooks };
        self.ended(Phase::Gone, result, hooks);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
