//! The steps that a function has made during one call, and what has become of each.

use std::collections::BTreeSet;
use std::task::Waker;

use serde_json::value::RawValue;

use super::step_id::StepId;
use crate::Error;

/// What a step asks of the server when it has no result yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code of ours to be run once.
    Run,
    /// A pause, in the server's duration format.
    Sleep {
        /// Such as `90s`.
        duration: String,
    },
}

/// A step of the function under way.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) step: StepId,
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    pub(super) waker: Option<Waker>,
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
    /// Finished in this call, or dropped.
    Gone,
}

/// What running a step in this call came to.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) step: StepId,
    pub(crate) result: Result<Box<RawValue>, Error>,
    /// Unix time in nanoseconds at which the step began.
    pub(crate) started_ns: u64,
    /// Nanoseconds that it took.
    pub(crate) took_ns: u64,
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
    #[error("step `{step}` sleeps {days} days; the server takes at most 366")]
    SleepTooLong { step: String, days: u64 },
}

/// The bookkeeping of one call.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) all: Vec<Slot>,
    /// Steps with a saved result that waits for its turn, by completion order.
    pub(super) waiting: BTreeSet<(usize, usize)>,
    /// Steps without a result, in the order in which the function reached them.
    pub(super) found: Vec<usize>,
    /// A step was told to run its code; the call ends with what comes of it.
    pub(super) running: bool,
    /// A step's code is being polled right now.
    pub(super) inside_step: bool,
    pub(super) executed: Option<Executed>,
    pub(super) fault: Option<Fault>,
}

impl Slots {
    pub(super) fn set_phase(&mut self, slot: usize, phase: Phase) -> Option<Waker> {
        let slot = self.all.get_mut(slot)?;
        slot.phase = phase;
        slot.waker.take()
    }
}
