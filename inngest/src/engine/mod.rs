//! The pending-future engine: runs a function against a memo, one call at a time.

mod call_state;
mod checkpoint;
mod driver;
mod inside_step;
mod memo;
mod policy;
mod slots;
mod step_id;

pub(crate) use call_state::{CallState, Decision, StepSlot};
pub(crate) use checkpoint::{QueueItem, drive};
pub(crate) use driver::{Dispatch, FunctionFuture, Outcome};
pub(crate) use memo::{Memo, Mismatch, decode, decode_run};
pub(crate) use policy::RetryPolicy;
pub(crate) use slots::{Executed, Fault, Found, Kind};
pub(crate) use step_id::StepId;
