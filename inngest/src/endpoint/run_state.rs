//! The state of a run: what travels with a call, and what was too large for that.

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Endpoint;
use crate::client::{path, retry_after};
use crate::engine::Steps;
use crate::{Error, Result};

/// What came with the call.
pub(super) struct RunState<'a> {
    pub(super) event: Option<&'a RawValue>,
    pub(super) events: Vec<&'a RawValue>,
    pub(super) steps: Steps<'a>,
    /// It must be fetched (P-110).
    pub(super) is_elsewhere: bool,
}

/// The same, complete.
pub(super) struct CompleteState<'a> {
    pub(super) event: &'a RawValue,
    pub(super) events: Vec<&'a RawValue>,
    pub(super) steps: Steps<'a>,
}

/// What did not come with it, as the API answered.
#[derive(Default)]
pub(super) struct Fetched {
    steps: Option<Bytes>,
    events: Option<Bytes>,
}

impl<'a> RunState<'a> {
    /// What the function is given.
    pub(super) fn complete(self, fetched: &'a Fetched) -> Result<CompleteState<'a>, String> {
        let steps = read(fetched.steps.as_deref())?.unwrap_or(self.steps);
        let mut events = read(fetched.events.as_deref())?.unwrap_or(self.events);
        let event =
            self.event.or_else(|| events.first().copied()).ok_or("the call has no event")?;
        if events.is_empty() {
            // Older servers send the event alone (T12).
            events.push(event);
        }
        Ok(CompleteState { event, events, steps })
    }
}

fn read<'a, T: Deserialize<'a>>(fetched: Option<&'a [u8]>) -> Result<Option<T>, String> {
    let read = fetched.map(serde_json::from_slice).transpose();
    read.map_err(|error| format!("the fetched state cannot be read: {error}"))
}

impl Endpoint {
    /// Fetches what did not come with the call (P-110).
    pub(super) async fn fetch_missing(
        &self,
        run_id: &str,
        state: &RunState<'_>,
    ) -> Result<Fetched> {
        if !state.is_elsewhere {
            return Ok(Fetched::default());
        }
        let steps = self.fetch_state(run_id, "actions").await?;
        let events = match (state.event, state.events.as_slice()) {
            (None, []) => Some(self.fetch_state(run_id, "batch").await?),
            _ => None,
        };
        Ok(Fetched { steps: Some(steps), events })
    }

    /// Fetches a part of the run's state. Without it the call cannot go on: with an empty memo every finished step would
    /// run again.
    async fn fetch_state(&self, run_id: &str, what: &str) -> Result<Bytes> {
        let client = &self.inner.client;
        let failed = |why: String| {
            Error::from(format!("the state of run {run_id} could not be fetched: {why}"))
        };
        let path = path(&["v0", "runs", run_id, what], None);
        let response = client.api(Method::GET, &path, Bytes::new(), &[]).await;
        let response = response.map_err(|error| failed(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let error = failed(format!("HTTP {} for {what}", response.status()));
        Err(match retry_after(response.headers(), client.clock().now()) {
            Some(wait) => error.retry_after(wait),
            None => error,
        })
    }
}
