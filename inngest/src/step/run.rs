use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Step;
use crate::engine::{Decision, Fault, Kind, StepSlot, decode_run};
use crate::function::to_json;
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
        let slot = self.call.make(id, Kind::Run);
        settle(slot, async move {
            let output = code().await?;
            to_json(&output).map_err(|error| unwritable(&error))
        })
    }
}

/// The saved result of a step, or the step's code run now.
pub(super) async fn settle<T: DeserializeOwned>(
    slot: StepSlot<'_>,
    code: impl Future<Output = Result<Box<RawValue>>>,
) -> Result<T, StepError> {
    match slot.decision().await {
        Decision::Execute => match slot.execute(code).await {},
        Decision::Memo(memo) => match decode_run(&slot.step().id, memo) {
            Ok(result) => result,
            Err(mismatch) => {
                slot.call().fault(Fault::MemoMismatch {
                    step: slot.step().id.clone(),
                    reason: mismatch.to_string(),
                });
                std::future::pending().await
            }
        },
    }
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::from(format!("the step's result cannot be written as JSON: {error}")).no_retry()
}
