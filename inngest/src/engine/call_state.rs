//! What the steps of one call share with the driver that polls their function.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use serde_json::value::RawValue;

use super::memo::Memo;
use super::slots::{Executed, Fault, Kind, Phase, Slot, Slots};
use super::step_id::{StepId, StepIds};
use crate::clock::Clock;
use crate::{Client, Error};

/// One call of one run. Steps borrow it, so they cannot outlive the call.
pub(crate) struct CallState<'b> {
    pub(crate) run_id: &'b str,
    pub(crate) memo: Memo<'b>,
    pub(crate) client: &'b Client,
    pub(crate) clock: &'b Clock,
    ids: Mutex<StepIds>,
    slots: Mutex<Slots>,
}

/// Whether a step has its result or shall produce it.
pub(crate) enum Decision<'a> {
    /// Use the saved result.
    Memo(&'a RawValue),
    /// Run the code now.
    Execute,
}

impl<'b> CallState<'b> {
    pub(crate) fn new(
        run_id: &'b str,
        memo: Memo<'b>,
        client: &'b Client,
        clock: &'b Clock,
    ) -> Self {
        Self { run_id, memo, client, clock, ids: Mutex::default(), slots: Mutex::default() }
    }

    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        // A panic of user code never happens under this lock; a poisoned one is as good as new.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a step when it is made, so that repeated ids follow the program's order, not the polling order.
    pub(crate) fn make(&self, id: &str, kind: Kind) -> StepSlot<'_> {
        let step = self.ids.lock().unwrap_or_else(PoisonError::into_inner).allocate(id);
        let mut slots = self.slots();
        let index = slots.all.len();
        slots.all.push(Slot { step: step.clone(), kind, phase: Phase::Created, waker: None });
        StepSlot { call: self, step, index }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.slots().fault.get_or_insert(fault);
    }
}

/// The place of one step in the call. Dropping it takes the step out of the program.
pub(crate) struct StepSlot<'a> {
    call: &'a CallState<'a>,
    step: StepId,
    index: usize,
}

impl<'a> StepSlot<'a> {
    pub(crate) fn step(&self) -> &StepId {
        &self.step
    }

    pub(crate) fn call(&self) -> &'a CallState<'a> {
        self.call
    }

    /// Pends until the driver has decided about this step.
    pub(crate) fn decision(&self) -> impl Future<Output = Decision<'a>> + Send + use<'_, 'a> {
        std::future::poll_fn(|cx| self.poll_decision(cx))
    }

    fn poll_decision(&self, cx: &Context<'_>) -> Poll<Decision<'a>> {
        let mut slots = self.call.slots();
        let Some(phase) = slots.all.get(self.index).map(|slot| slot.phase) else {
            return Poll::Pending;
        };
        match phase {
            Phase::Created => self.enter(&mut slots),
            Phase::Resolved => match self.call.memo.get(&self.step.hash) {
                Some(memo) => return Poll::Ready(Decision::Memo(memo)),
                None => return Poll::Pending,
            },
            Phase::Running => return Poll::Ready(Decision::Execute),
            Phase::Found | Phase::Waiting | Phase::Gone => {}
        }
        if let Some(slot) = slots.all.get_mut(self.index) {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    fn enter(&self, slots: &mut Slots) {
        if self.step.id.is_empty() {
            slots.fault.get_or_insert(Fault::EmptyId);
        }
        if slots.inside_step {
            slots.fault.get_or_insert(Fault::Nested { inner: self.step.id.clone() });
        }
        let phase = if self.call.memo.is_finished(&self.step.hash) {
            slots.waiting.insert((self.call.memo.rank(&self.step.hash), self.index));
            Phase::Waiting
        } else {
            slots.found.push(self.index);
            Phase::Found
        };
        slots.set_phase(self.index, phase);
    }

    /// Runs the step's code, and hands what came of it to the driver. Never returns: the server must save the
    /// result before the function may see it.
    pub(crate) async fn execute<F>(self, code: F) -> std::convert::Infallible
    where
        F: Future<Output = Result<Box<RawValue>, Error>>,
    {
        let (started, started_ns) = (self.call.clock.now(), unix_ns(self.call.clock));
        let result = InsideStep { call: self.call, code: std::pin::pin!(code) }.await;
        let took = self.call.clock.now().duration_since(started).unwrap_or_default();
        let executed = Executed {
            step: self.step.clone(),
            result,
            started_ns,
            took_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
        };
        {
            let mut slots = self.call.slots();
            slots.set_phase(self.index, Phase::Gone);
            slots.executed.get_or_insert(executed);
        }
        std::future::pending().await
    }
}

impl Drop for StepSlot<'_> {
    fn drop(&mut self) {
        let mut slots = self.call.slots();
        let Some(phase) = slots.all.get(self.index).map(|slot| slot.phase) else { return };
        slots.set_phase(self.index, Phase::Gone);
        match phase {
            Phase::Found => slots.found.retain(|&found| found != self.index),
            Phase::Waiting => {
                slots.waiting.remove(&(self.call.memo.rank(&self.step.hash), self.index));
            }
            // A timeout or a race around a running step: what the code has done is unknown, and only a failed
            // attempt says so.
            Phase::Running => {
                let error = Error::from(format!(
                    "step `{}` was dropped while its code ran; put a timeout inside the step, not around it",
                    self.step.id
                ));
                slots.executed.get_or_insert(Executed {
                    step: self.step.clone(),
                    result: Err(error),
                    started_ns: unix_ns(self.call.clock),
                    took_ns: 0,
                });
            }
            Phase::Created | Phase::Resolved | Phase::Gone => {}
        }
    }
}

fn unix_ns(clock: &Clock) -> u64 {
    let since = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Polls a step's code: marks that we are inside it, and turns a panic into an error of the step.
struct InsideStep<'a, 'p, F> {
    call: &'a CallState<'a>,
    code: Pin<&'p mut F>,
}

impl<F: Future<Output = Result<Box<RawValue>, Error>>> Future for InsideStep<'_, '_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.slots().inside_step = true;
        let polled = catch_unwind(AssertUnwindSafe(|| self.code.as_mut().poll(cx)));
        self.call.slots().inside_step = false;
        polled.unwrap_or_else(|panic| Poll::Ready(Err(Error::from(panic_message(&*panic)))))
    }
}

/// The text of a panic, where it has one.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
