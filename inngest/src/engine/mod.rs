//! The pending-future engine: runs a function against a memo, one call at a time.

mod call_state;
mod checkpoint;
mod driver;
mod inside_step;
mod memo;
mod ops;
mod own_failures;
mod policy;
mod save;
mod slots;
mod steady;
mod step_id;
mod step_slot;

pub(crate) use call_state::CallState;
pub(crate) use checkpoint::drive;
pub(crate) use driver::{Dispatch, FunctionFuture, Outcome};
pub(crate) use memo::{Memo, Steps, Unreadable, decode_result, decode_run};
pub(crate) use ops::{Op, StepNotFound};
pub(crate) use own_failures::OwnFailures;
pub(crate) use policy::RetryPolicy;
pub(crate) use save::QueueItem;
pub(crate) use slots::{Executed, Fault, Found, Work};
pub(crate) use step_slot::{Decision, StepSlot};
