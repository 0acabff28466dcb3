//! One step of a call: from its first poll to its result.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use serde_json::value::RawValue;

use super::call_state::CallState;
use super::inside_step::InsideStep;
use super::policy::RetryPolicy;
use super::slots::{Executed, Fault, Phase, Slots, Work};
use super::step_id::StepId;
use crate::Error;
use crate::clock::Clock;

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

    /// Pends until the driver has decided about this step, whose code `label` describes.
    pub(crate) fn decision(
        &self,
        label: &'static str,
    ) -> impl Future<Output = Decision<'a>> + Send + use<'_, 'a> {
        std::future::poll_fn(move |cx| self.poll_decision(cx, || Ok(Work::Run { label })))
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
        if let Some(slot) = slots.all.get_mut(self.index) {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    fn enter(&self, slots: &mut Slots, describe: impl FnOnce() -> Result<Work, String>) {
        if self.step.id.is_empty() {
            slots.fault.get_or_insert(Fault::EmptyId);
        }
        if self.step.id.len() > LONG_ID {
            tracing::warn!(step = self.step.id, "the id of a step has more than {LONG_ID} bytes");
        }
        if slots.inside_step {
            slots.fault.get_or_insert(Fault::Nested { inner: self.step.id.clone() });
        }
        let phase = if self.is_saved() {
            slots.waiting.insert((self.call.memo.rank(&self.step.hash), self.index));
            Phase::Waiting
        } else {
            match (describe(), slots.all.get_mut(self.index)) {
                (Ok(work), Some(slot)) => slot.work = work,
                (Ok(_), None) => {}
                (Err(reason), _) => {
                    let step = self.step.id.clone();
                    slots.fault.get_or_insert(Fault::Unusable { step, reason });
                }
            }
            slots.found.push(self.index);
            Phase::Found
        };
        slots.set_phase(self.index, phase);
    }

    /// Runs the step's code, and hands what came of it to the driver: the server must save the result before
    /// the function may see it. The next decision says when that is so.
    pub(crate) async fn execute<F>(&self, label: &'static str, policy: RetryPolicy, code: F)
    where
        F: Future<Output = Result<Box<RawValue>, Error>>,
    {
        let clock = self.call.clock();
        let (started, started_ns) = (clock.now(), unix_ns(clock));
        let result = InsideStep::new(self.call, std::pin::pin!(code)).await;
        let result = result.map_err(|error| policy.apply(error, self.call.run.attempt));
        let took = clock.now().duration_since(started).unwrap_or_default();
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mut slots = self.call.slots();
        slots.set_phase(self.index, Phase::Ran);
        let executed = self.executed(&slots, label, result);
        slots.executed.get_or_insert(Executed { started_ns, took_ns, ..executed });
    }

    fn executed(
        &self,
        slots: &Slots,
        label: &'static str,
        result: Result<Box<RawValue>, Error>,
    ) -> Executed {
        Executed {
            slot: self.index,
            step: self.step.clone(),
            label,
            race: slots.all.get(self.index).is_some_and(|slot| slots.races(slot)),
            result,
            started_ns: unix_ns(self.call.clock()),
            took_ns: 0,
        }
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
                slots.waiting.remove(&(self.call.memo.rank(&self.step.hash), self.index));
                slots.resolved += 1;
            }
            // A timeout or a race around a running step: what the code has done is unknown, and only a failed
            // attempt says so.
            Phase::Running => {
                let error = Error::from(format!(
                    "step `{}` was dropped while its code ran; put a timeout inside the step, not around it",
                    self.step.id
                ));
                let executed = self.executed(&slots, Work::STEP_RUN, Err(error));
                slots.executed.get_or_insert(executed);
            }
            Phase::Created | Phase::Resolved | Phase::Ran | Phase::Gone => {}
        }
    }
}

fn unix_ns(clock: &Clock) -> u64 {
    let since = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
