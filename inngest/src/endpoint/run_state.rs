//! The state of a run that was too large to travel with the call.

use bytes::Bytes;
use http::Method;

use super::Endpoint;
use crate::client::path;

/// What to fetch of a run.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// The memo: a map of step hashes.
    Steps,
    /// The events, as a list.
    Events,
}

impl Endpoint {
    /// Fetches a part of the run's state (P-110). Without it the call cannot go on: with an empty memo every
    /// finished step would run again.
    pub(super) async fn fetch_state(&self, run_id: &str, part: Part) -> Result<Bytes, String> {
        let what = match part {
            Part::Steps => "actions",
            Part::Events => "batch",
        };
        let path = path(&["v0", "runs", run_id, what], None);
        let response = self.inner.client.api(Method::GET, &path, Bytes::new(), &[]).await;
        match response {
            Ok(response) if response.status().is_success() => Ok(response.into_body()),
            Ok(response) => Err(format!(
                "the state of run {run_id} could not be fetched: HTTP {} for {what}",
                response.status()
            )),
            Err(error) => Err(format!("the state of run {run_id} could not be fetched: {error}")),
        }
    }
}
