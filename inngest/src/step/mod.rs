//! Steps: what a function does exactly once.

mod run;
mod send_event;
mod sleep;

use crate::engine::CallState;

/// Makes the steps of a run.
///
/// A step is a future that is ready once its result is saved on the server: in the call that runs it, it stays
/// pending and the call ends. So `tokio::join!`, `select!` and `try_join_all` work over steps as over any
/// futures, and a `Result` from a step always is the step's final one. The handle is borrowed from the call: it
/// cannot be moved into a spawned task.
///
/// Step ids must be the same in every call. An id that repeats is numbered in the order in which the steps are
/// made.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    call: &'a CallState<'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(call: &'a CallState<'a>) -> Self {
        Self { call }
    }
}
