use serde::{Deserialize, Serialize};

use super::Step;
use super::run::settle;
use crate::client::EventIdSeed;
use crate::engine::Kind;
use crate::function::to_json;
use crate::{Error, NewEvent, Result, SendError, StepError};

/// The step's result as other SDKs save it.
#[derive(Serialize, Deserialize)]
struct Sent {
    ids: Vec<String>,
}

impl<'a> Step<'a> {
    /// Sends events in a step, and returns their ids. A repeated attempt sends the same ids again, which the
    /// server counts as one event each (P-179).
    pub fn send_event(
        self,
        id: &str,
        events: Vec<NewEvent>,
    ) -> impl Future<Output = Result<Vec<String>, StepError>> + use<'a> {
        let slot = self.call.make(id, Kind::Run);
        let seed = EventIdSeed::of_step(self.call.run_id, &slot.step().hash);
        async move {
            let sent: Sent = settle(slot, async move {
                let ids =
                    self.call.client.send_seeded(&events, &seed).await.map_err(final_or_not)?;
                Ok(to_json(&Sent { ids })?)
            })
            .await?;
            Ok(sent.ids)
        }
    }
}

fn final_or_not(error: SendError) -> Error {
    match error {
        SendError::Unavailable(_) | SendError::Unauthorized { .. } => Error::from(error),
        SendError::NoEventKey | SendError::Refused { .. } | SendError::DataIsNoObject(_) => {
            Error::from(error).no_retry()
        }
    }
}
