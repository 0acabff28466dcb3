//! Steps: what a function does exactly once.

mod ai;
mod expression;
mod fetch;
mod invoke;
mod limits;
mod run;
mod run_with;
mod send_event;
mod send_signal;
mod sleep;
mod wait_for_event;
mod wait_for_signal;

use std::time::Duration;

use crate::engine::{CallState, RetryPolicy, StepSlot};
use crate::middleware::Hooks;

pub use ai::{AiRequest, Infer};
pub use fetch::{Fetch, FetchResponse};
pub use invoke::Invoke;
pub use sleep::Sleep;
pub use wait_for_event::WaitForEvent;
pub use wait_for_signal::WaitForSignal;

/// Makes the steps of a run.
///
/// A step is a future that is ready once its result is saved on the server: in the call that runs it, it stays
/// pending and the call ends. So `tokio::join!`, `select!` and `try_join_all` work over steps as over any
/// futures, and a `Result` from a step always is the step's final one. The handle is borrowed from the call: it
/// cannot be moved into a spawned task.
///
/// ```compile_fail,E0521
/// # async fn f(step: inngest::Step<'_>) {
/// tokio::spawn(async move { step.run("late", async || Ok(1)).await });
/// # }
/// ```
///
/// Step ids must be the same in every call. An id that repeats is numbered in the order in which the steps are
/// made. Branches of a `select!` make theirs in any order, so there each needs an id of its own (P-148).
#[derive(Clone, Copy)]
pub struct Step<'a> {
    call: &'a CallState<'a>,
    policy: RetryPolicy,
    race: bool,
}

impl<'a> Step<'a> {
    pub(crate) fn new(call: &'a CallState<'a>) -> Self {
        Self { call, policy: RetryPolicy::default(), race: false }
    }

    /// Makes steps that race: the server calls the function again as soon as one of them is done. Without it
    /// the server waits until all steps that were found together are done, and a `select!` over them, though it
    /// has the right winner, is as slow as its slowest branch (P-163, P-164).
    ///
    /// ```
    /// # async fn f(step: inngest::Step<'_>) -> inngest::Result<u8> {
    /// let racing = step.race();
    /// let price = tokio::select! {
    ///     a = racing.run("ask-a", async || Ok(1)) => a?,
    ///     b = racing.run("ask-b", async || Ok(2)) => b?,
    /// };
    /// # Ok(price) }
    /// ```
    ///
    /// The losers are dropped: their code may still run, its results are saved and never looked at, and the run
    /// does not wait for them (P-171).
    #[must_use]
    pub fn race(self) -> Self {
        Self { race: true, ..self }
    }

    /// Makes steps that finally fail after `attempts` failures of their own, where the function's own `retries` do not
    /// end them sooner. 0 counts as 1.
    ///
    /// The server says how often it has called, not how often the step has failed: calls that never arrived, or that
    /// failed before the step, cost the function's `retries` and nothing here (P-105). So the failures are counted by the
    /// process in which they happen. Those before a restart, or in another replica, are not counted: then a step may be
    /// tried more often than this, never less often, and `retries` is what ends it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn f(step: inngest::Step<'_>) -> inngest::Result<u8> {
    /// let step = step.max_attempts(3).backoff(|attempts| Duration::from_secs(2) * attempts);
    /// let rate = step.run("ask-rate", async || Ok(1)).await;
    /// # Ok(rate?) }
    /// ```
    #[must_use]
    pub fn max_attempts(self, attempts: u32) -> Self {
        Self { policy: RetryPolicy { max_attempts: Some(attempts), ..self.policy }, ..self }
    }

    /// Makes steps that wait this long after a failed attempt, given the number of attempts so far as the server counts
    /// them, unless their error says when to try again. The server keeps the time between 1 s and 24 h.
    #[must_use]
    pub fn backoff(self, delay: fn(u32) -> Duration) -> Self {
        Self { policy: RetryPolicy { backoff: Some(delay), ..self.policy }, ..self }
    }

    pub(crate) fn app_id(self) -> &'a str {
        self.call.app_id
    }

    pub(crate) fn hooks(self) -> Hooks<'a> {
        self.call.hooks
    }

    fn make(self, id: &str) -> StepSlot<'a> {
        StepSlot::new(self.call, id, self.race)
    }
}
