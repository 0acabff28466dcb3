//! The steps that a function has made during one call, and what has become of each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Waker;
use std::time::SystemTime;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tracing::Span;

use super::policy::RetryPolicy;
use super::steady::{Made, Order, Steadiness};
use super::step_id::{StepId, StepIds};
use crate::Error;

/// What a step is: who does its work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Work {
    /// Code of ours to be run once.
    Run {
        /// What other SDKs call this kind of code, such as `step.run`.
        label: &'static str,
        /// The list of what the code is given, for people to see and to edit.
        input: Option<Box<Value>>,
    },
    /// Something that the server does: it hears the operation and its options, never a result.
    Ask {
        /// The opcode.
        op: &'static str,
        /// Its options.
        opts: Map<String, Value>,
    },
}

impl Work {
    /// Code of a function, as most steps are.
    pub(crate) const RUN: Self = Self::code(Self::STEP_RUN);
    pub(crate) const STEP_RUN: &'static str = "step.run";

    pub(crate) const INVOKE: &'static str = "InvokeFunction";
    pub(crate) const FETCH: &'static str = "Gateway";
    pub(crate) const INFER: &'static str = "AIGateway";

    /// Code without an input.
    pub(crate) const fn code(label: &'static str) -> Self {
        Self::Run { label, input: None }
    }
}

/// A step of the function under way.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) step: StepId,
    pub(super) work: Work,
    pub(super) policy: RetryPolicy,
    /// The server must call again as soon as this one is done, without waiting for its siblings (P-164).
    pub(super) race: bool,
    pub(super) phase: Phase,
    pub(super) made: Made,
    /// The moment at which it was polled last.
    pub(super) polled: u64,
    /// Its code runs.
    pub(super) running: Option<Running>,
    /// The result of a step that was run and saved within this call.
    pub(super) fresh: Option<Arc<RawValue>>,
    pub(super) waker: Option<Waker>,
}

/// What there is of a step while its code runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) since: SystemTime,
    pub(super) span: Span,
}

/// A step that the function waits for.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) step: StepId,
    pub(crate) work: Work,
    pub(crate) race: bool,
}

/// Where a step stands within this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Made, but never polled: the server hears nothing of it.
    Created,
    /// Polled, without a saved result: to be run or reported.
    Found,
    /// Polled, and its saved result waits for its turn.
    Waiting,
    /// Its saved result may be taken.
    Resolved,
    /// Its code runs in this call.
    Running,
    /// Its code has run in this call, and the result is with the driver.
    Ran,
    /// Dropped.
    Gone,
}

/// What running a step in this call came to.
#[derive(Debug)]
pub(crate) struct Executed {
    /// Where it stands among the steps of this call.
    pub(super) slot: usize,
    pub(crate) step: StepId,
    pub(crate) label: &'static str,
    pub(crate) input: Option<Box<Value>>,
    pub(crate) race: bool,
    pub(crate) result: Result<Box<RawValue>, Error>,
    /// Unix time in nanoseconds at which the step began.
    pub(crate) started_ns: u64,
    /// Nanoseconds that it took.
    pub(crate) took_ns: u64,
}

impl Executed {
    /// A step that is reported as failed, because what the server would need to carry it out cannot be sent.
    pub(crate) fn unsendable(found: &Found, error: Error) -> Self {
        Self {
            slot: usize::MAX,
            step: found.step.clone(),
            label: Work::STEP_RUN,
            input: None,
            race: found.race,
            result: Err(error.no_retry()),
            started_ns: 0,
            took_ns: 0,
        }
    }
}

/// Something in the function's code that no reply to the server can express. It ends the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("a step has an empty id; give every step an id that says what it does")]
    EmptyId,
    #[error(
        "step `{inner}` was made inside another step; a step's code cannot contain steps: move it out, after the outer step"
    )]
    Nested { inner: String },
    #[error(
        "the saved result of step `{step}` does not fit the type the code asks for: {reason}; the code has changed since the step ran, or two steps share this id"
    )]
    MemoMismatch { step: String, reason: String },
    #[error("step `{step}` cannot be sent to the server: {reason}")]
    Unusable { step: String, reason: String },
    #[error(
        "the function waits for {found} steps and has finished {finished}; the server takes at most 1000 in one run: handle the items in batches, or in runs of their own"
    )]
    TooManySteps { found: usize, finished: usize },
    #[error(
        "branches of the function make steps with the same id `{id}`, and which comes first is left to chance; give each an \
         id of its own"
    )]
    Unsteady { id: String },
}

impl Fault {
    /// Trying again cannot help: the code is the same.
    pub(crate) fn into_error(self) -> Error {
        Error::from(self).no_retry()
    }
}

/// The bookkeeping of one call.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) ids: StepIds,
    pub(super) order: Order,
    pub(super) all: Vec<Slot>,
    /// Steps with a saved result that waits for its turn, by completion order.
    pub(super) waiting: BTreeSet<(usize, usize)>,
    /// How many saved results the function has, or has given up waiting for.
    pub(super) resolved: usize,
    /// Steps without a result, in the order in which the function reached them.
    pub(super) found: Vec<usize>,
    /// A step runs its code; the call ends with its outcome.
    pub(super) running: bool,
    /// A step's code is being polled right now.
    pub(super) inside_step: bool,
    /// A race was decided. Calls may overlap from now on, so steps are only run when the server asks for them.
    pub(super) race_over: bool,
    /// A loser of a race may still run, and the server must not wait for it.
    pub(super) race_lost: bool,
    pub(super) executed: Option<Executed>,
    /// What ends the call, whatever the function does: a [`Fault`], or middleware that refuses something.
    pub(super) failure: Option<Error>,
}

impl Slots {
    pub(super) fn fail(&mut self, fault: Fault) {
        self.failure.get_or_insert_with(|| fault.into_error());
    }

    /// The step that is being made has its number because of these.
    pub(super) fn ordered_after(&mut self, before: &[usize]) {
        for &before in before {
            if let Some(slot) = self.all.get(before) {
                self.order.depends((before, slot.made), self.all.len());
            }
        }
    }

    /// Whether the numbers of repeated ids are the same in every call. Looked at while the function is quiet.
    pub(super) fn steadiness(&mut self) -> Steadiness {
        let polled = |slot: usize| self.all.get(slot).map_or(0, |slot| slot.polled);
        self.order.look(polled, self.found.len() + self.waiting.len())
    }

    /// What a step with code is called.
    pub(super) fn label(&self, slot: usize) -> &'static str {
        match self.all.get(slot).map(|slot| &slot.work) {
            Some(Work::Run { label, .. }) => label,
            _ => Work::STEP_RUN,
        }
    }

    /// Whether the server must call again as soon as this step is done. A step after a race must say so too, or
    /// the next call waits for the losers.
    pub(super) fn races(&self, slot: &Slot) -> bool {
        slot.race || self.race_lost
    }

    /// Whether this step may run in a call that was not made for it: the server calls in the middle of a race
    /// without saying that other calls are under way (observed with 1.43), so nothing that was planned may run.
    pub(super) fn runs_unasked(&self, slot: usize) -> bool {
        !self.race_over
            && self
                .all
                .get(slot)
                .is_some_and(|slot| matches!(slot.work, Work::Run { .. }) && !slot.race)
    }

    /// Lets the function have the result of a step that was run and saved within this call.
    pub(super) fn resolve_fresh(&mut self, slot: usize, value: Arc<RawValue>) -> Option<Waker> {
        self.running = false;
        self.all.get_mut(slot).filter(|slot| slot.phase == Phase::Ran)?.fresh = Some(value);
        self.set_phase(slot, Phase::Resolved)
    }

    pub(super) fn set_phase(&mut self, slot: usize, phase: Phase) -> Option<Waker> {
        if matches!(phase, Phase::Resolved | Phase::Running) {
            self.order.goes_on();
        }
        let slot = self.all.get_mut(slot)?;
        slot.phase = phase;
        slot.waker.take()
    }
}
