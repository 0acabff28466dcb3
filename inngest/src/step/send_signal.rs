use serde::Serialize;

use super::Step;
use super::run::run_once;
use crate::client::SignalError;
use crate::engine::Work;
use crate::{Error, Result, StepError, json};

const LABEL: &str = "step.sendSignal";

impl<'a> Step<'a> {
    /// Sends a signal in a step, and returns the id of the run that waited for it; `None` when no run did.
    pub fn send_signal<T: Serialize>(
        self,
        id: &str,
        signal: &str,
        data: &T,
    ) -> impl Future<Output = Result<Option<String>, StepError>> + use<'a, T> {
        let (slot, signal, call) = (self.make(id), signal.to_owned(), self.call);
        let step = slot.step().id.clone();
        let data = (!slot.is_saved()).then(|| json::payload(data)).transpose();
        run_once(slot, Work::code(LABEL), self.policy, async move {
            let data = data.map_err(|reason| reason.of_payload(&step, "data"))?.unwrap_or_default();
            let sent = call.client.send_signal_through(call.hooks, &signal, data).await;
            let run = sent.map_err(|error| match error {
                SignalError::Unavailable { retry_after: Some(wait), .. } => {
                    Error::new(error).retry_after(wait)
                }
                SignalError::Unavailable { .. } => Error::new(error),
                SignalError::Refused { .. } | SignalError::Unsendable { .. } => {
                    Error::new(error).no_retry()
                }
                SignalError::Withheld { retry, .. } => Error::new(error).with_retry(retry),
            })?;
            Ok(json::step_output(&run)?)
        })
    }
}
