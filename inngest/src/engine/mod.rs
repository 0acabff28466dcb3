//! The pending-future engine: runs a function against a memo, one call at a time.

mod call_state;
mod driver;
mod memo;
mod slots;
mod step_id;

pub(crate) use call_state::{CallState, Decision, StepSlot};
pub(crate) use driver::{Dispatch, FunctionFuture, Outcome, drive};
pub(crate) use memo::{Memo, decode, decode_run};
pub(crate) use slots::{Executed, Fault, Kind};
pub(crate) use step_id::StepId;
