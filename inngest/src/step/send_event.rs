use serde::{Deserialize, Serialize};

use super::Step;
use super::run::run_once;
use crate::client::EventIdSeed;
use crate::{Error, NewEvent, Result, SendError, StepError, json};

/// The step's result as other SDKs save it.
#[derive(Serialize, Deserialize)]
struct Sent {
    ids: Vec<String>,
}

/// How other SDKs call such a step (P-179).
const LABEL: &str = "step.sendEvent";

impl<'a> Step<'a> {
    /// Sends events in a step, and returns their ids. A repeated attempt sends the same ids again, which the
    /// server counts as one event each (P-179).
    pub fn send_event(
        self,
        id: &str,
        events: Vec<NewEvent>,
    ) -> impl Future<Output = Result<Vec<String>, StepError>> + use<'a> {
        let slot = self.make(id);
        let (call, policy) = (self.call, self.policy);
        let seed = EventIdSeed::of_step(call.run.id, &slot.step().hash);
        async move {
            let sent: Sent = run_once(slot, LABEL, policy, async move {
                let ids = call
                    .client
                    .send_seeded(&events, &seed, call.hooks)
                    .await
                    .map_err(final_or_not)?;
                Ok(json::step_output(&Sent { ids })?)
            })
            .await?;
            Ok(sent.ids)
        }
    }
}

fn final_or_not(error: SendError) -> Error {
    match error {
        SendError::Unavailable { retry_after: Some(wait), .. } => {
            Error::from(error).retry_after(wait)
        }
        SendError::Unavailable { .. } | SendError::Unauthorized { .. } => Error::from(error),
        SendError::Withheld { retry, .. } => Error::from(error).with_retry(retry),
        SendError::NoEventKey | SendError::Refused { .. } | SendError::DataIsNoObject(_) => {
            Error::from(error).no_retry()
        }
    }
}
