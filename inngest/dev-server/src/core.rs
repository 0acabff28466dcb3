//! What all parts of one server share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use inngest::signing::SigningKey;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::Event;
use crate::http_client::HttpClient;
use crate::ids::Env;
use crate::observe::Observation;
use crate::state::State;

pub(crate) struct Core {
    pub(crate) env: Env,
    pub(crate) signing_key: Option<SigningKey>,
    /// Empty: any key is accepted (P-018).
    pub(crate) event_keys: Vec<String>,
    pub(crate) retry_interval: Option<Duration>,
    pub(crate) http: HttpClient,
    pub(crate) observations: broadcast::Sender<Observation>,
    /// Wakes the executor when the queue changed.
    pub(crate) queue_changed: Notify,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) state: Mutex<State>,
}

impl Core {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `X-Inngest-Server-Kind`: with a signing key the server behaves as a self-hosted one.
    pub(crate) fn server_kind(&self) -> &'static str {
        if self.signing_key.is_some() { "cloud" } else { "dev" }
    }

    /// Changes the state, notifies subscribers, and wakes the executor.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, &Env) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state, &self.env);
        self.publish(&mut state);
        drop(state);
        self.queue_changed.notify_one();
        result
    }

    /// Notifies subscribers, in the order in which things happened.
    pub(crate) fn publish(&self, state: &mut State) {
        for observation in state.seen.drain(..) {
            tracing::debug!(?observation);
            // An error only says that there is no subscriber.
            let _ = self.observations.send(observation);
        }
    }

    /// Takes an event in.
    pub(crate) fn ingest(&self, event: Event) {
        self.change(|state, env| state.ingest(event, env));
    }
}
