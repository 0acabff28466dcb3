use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Step;
use crate::engine::{
    Decision, Fault, RetryPolicy, StepSlot, Unreadable, Work, decode_result, decode_run,
};
use crate::json;
use crate::{Result, StepError};

impl<'a> Step<'a> {
    /// Runs `code` once and saves its result; later calls get the saved one.
    ///
    /// An error is retried by the server while attempts remain, as the error says (see [`Error`](crate::Error)); then it is
    /// saved and arrives here as a [`StepError`]. A panic counts as an error. `code` cannot contain steps.
    ///
    /// A result that could not be saved and read back is a final error of the step, with the name `UnsavableData`: over 4 MiB
    /// as the server counts, nested over 120 levels, with an integer beyond 2<sup>53</sup>.
    ///
    /// Inside, `?` takes every kind of error.
    pub fn run<T, F>(
        self,
        id: &str,
        code: F,
    ) -> impl Future<Output = Result<T, StepError>> + use<'a, T, F>
    where
        T: Serialize + DeserializeOwned,
        F: AsyncFnOnce() -> Result<T>,
    {
        let slot = self.make(id);
        let step = slot.step().id.clone();
        run_once(slot, Work::RUN, self.policy, async move {
            // In a box of its own: what the code needs would else be part of the function, which each call moves into
            // place, also those that have this step's result.
            let output = Box::pin(code()).await?;
            json::step_result(&output).map_err(|reason| reason.of_result(&step))
        })
    }
}

/// The saved result of a step, or the step's code run now.
pub(super) async fn run_once<T: DeserializeOwned>(
    slot: StepSlot<'_>,
    work: Work,
    policy: RetryPolicy,
    code: impl Future<Output = Result<Box<RawValue>>>,
) -> Result<T, StepError> {
    let (mut work, mut code) = (Some(work), Some(code));
    let hooks = slot.call().hooks;
    loop {
        let decoded = match slot.decision(&mut work).await {
            Decision::Execute => {
                if let Some(code) = code.take() {
                    slot.execute(policy, code).await;
                }
                continue;
            }
            Decision::Memo(memo) => decode_run(&slot.step().id, memo, hooks),
            Decision::Fresh(result) => decode_result(&slot.step().id, &result, hooks).map(Ok),
        };
        match decoded {
            Ok(result) => return result,
            Err(unreadable) => {
                refuse(&slot, unreadable);
                std::future::pending::<()>().await;
            }
        }
    }
}

/// What others have returned for a step that the server carried out. It is not of this program's making, so a result of
/// another type is a failure of the step, which a function can catch.
pub(super) fn saved<T: DeserializeOwned>(
    slot: &StepSlot<'_>,
    memo: &RawValue,
) -> Poll<Result<T, StepError>> {
    let (call, step) = (slot.call(), &*slot.step().id);
    match decode_run(step, memo, call.hooks) {
        Ok(result) => Poll::Ready(result),
        Err(Unreadable::Mismatch(mismatch)) => {
            let text = format!("the result of step `{step}` has come and does not fit: {mismatch}");
            Poll::Ready(Err(StepError::new(step, "UnexpectedResult", text)))
        }
        Err(Unreadable::Refused(error)) => call.or_fail(Err(error)),
    }
}

/// Ends the call. A result of code of ours that has another type says that the code has changed, and is no failure of the
/// step that a function could catch (P-153).
fn refuse(slot: &StepSlot<'_>, unreadable: Unreadable) {
    let step = slot.step().id.to_string();
    slot.call().fail(match unreadable {
        Unreadable::Mismatch(mismatch) => {
            Fault::MemoMismatch { step, reason: mismatch.to_string() }.into_error()
        }
        Unreadable::Refused(error) => error,
    });
}
