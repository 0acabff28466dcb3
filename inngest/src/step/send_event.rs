use serde::{Deserialize, Serialize};

use super::Step;
use super::run::run_once;
use crate::client::EventIdSeed;
use crate::engine::Work;
use crate::{Error, NewEvent, Result, SendError, StepError, json};

/// The step's result as other SDKs save it.
#[derive(Serialize, Deserialize)]
struct Sent {
    ids: Vec<String>,
}

/// How other SDKs call such a step (P-179).
const LABEL: &str = "step.sendEvent";

/// The ids of more events would not fit into the step's result, when all have been sent.
const MOST_EVENTS: usize = 100_000;

impl<'a> Step<'a> {
    /// Sends events in a step, and returns their ids. A repeated attempt sends the same ids again, which the
    /// server counts as one event each (P-179).
    ///
    /// Up to 100,000 events; the server takes them in several requests, see [`Client::send`](crate::Client::send). An event
    /// that cannot be sent is a final error of the step, and keeps all of them back.
    pub fn send_event(
        self,
        id: &str,
        events: Vec<NewEvent>,
    ) -> impl Future<Output = Result<Vec<String>, StepError>> + use<'a> {
        let slot = self.make(id);
        let (call, policy) = (self.call, self.policy);
        let seed = EventIdSeed::of_step(call.run.id, &slot.step().hash);
        async move {
            let step = slot.step().id.clone();
            let sent: Sent = run_once(slot, Work::code(LABEL), policy, async move {
                if events.len() > MOST_EVENTS {
                    return Err(too_many(&step, events.len()));
                }
                let ids = call
                    .client
                    .send_seeded(&events, &seed, call.hooks)
                    .await
                    .map_err(final_or_not)?;
                json::step_output(&Sent { ids }).map_err(|reason| reason.of_result(&step))
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
        SendError::NoEventKey | SendError::Refused { .. } | SendError::Unsendable { .. } => {
            Error::from(error).no_retry()
        }
    }
}

fn too_many(step: &str, events: usize) -> Error {
    let text = format!(
        "step `{step}` sends {events} events; the ids of at most {MOST_EVENTS} can be saved: send them in several steps"
    );
    Error::from(text).no_retry()
}
