use std::task::Poll;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Step;
use crate::engine::{Decision, Fault, RetryPolicy, StepSlot, Work, decode_run};
use crate::json::{self, Mismatch, decode};
use crate::{Error, Result, StepError};

impl<'a> Step<'a> {
    /// Runs `code` once and saves its result; later calls get the saved one.
    ///
    /// An error is retried by the server while attempts remain, as the error says (see [`Error`]); then it is
    /// saved and arrives here as a [`StepError`]. A panic counts as an error. `code` cannot contain steps.
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
        run_once(slot, Work::STEP_RUN, self.policy, async move {
            let output = code().await?;
            json::step_output(&output).map_err(|reason| {
                Error::from(format!("the result of step `{step}` cannot be saved: {reason}"))
                    .no_retry()
            })
        })
    }
}

/// The saved result of a step, or the step's code run now.
pub(super) async fn run_once<T: DeserializeOwned>(
    slot: StepSlot<'_>,
    label: &'static str,
    policy: RetryPolicy,
    code: impl Future<Output = Result<Box<RawValue>>>,
) -> Result<T, StepError> {
    let mut code = Some(code);
    loop {
        let decoded = match slot.decision(label).await {
            Decision::Execute => {
                if let Some(code) = code.take() {
                    slot.execute(label, policy, code).await;
                }
                continue;
            }
            Decision::Memo(memo) => decode_run(&slot.step().id, memo),
            Decision::Fresh(result) => decode(&result).map(Ok),
        };
        match decoded {
            Ok(result) => return result,
            Err(mismatch) => {
                misfit(&slot, &mismatch);
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The saved result of a step that the server carried out.
pub(super) fn saved<T: DeserializeOwned>(
    slot: &StepSlot<'_>,
    memo: &RawValue,
) -> Poll<Result<T, StepError>> {
    match decode_run(&slot.step().id, memo) {
        Ok(result) => Poll::Ready(result),
        Err(mismatch) => {
            misfit(slot, &mismatch);
            Poll::Pending
        }
    }
}

/// Ends the run: a result of another type says that the code has changed, and is no failure of the step that a
/// function could catch (P-153).
fn misfit(slot: &StepSlot<'_>, mismatch: &Mismatch) {
    slot.call()
        .fault(Fault::MemoMismatch { step: slot.step().id.clone(), reason: mismatch.to_string() });
}
