//! Saving steps while a call goes on (P-194).

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::Client;
use super::path::path;
use crate::engine::Executed;
use crate::ops::Op;

/// What the server knows the work of this call by.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct QueueItem<'a> {
    pub(crate) fn_id: Cow<'a, str>,
    pub(crate) qi_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation_id: Option<i64>,
    /// Unix time in milliseconds.
    pub(crate) request_started_at: u64,
}

#[derive(Serialize)]
struct Body<'a> {
    run_id: &'a str,
    #[serde(flatten)]
    item: &'a QueueItem<'a>,
    ts: u64,
    steps: Vec<Op<'a>>,
}

/// Steps are not known to be saved.
#[derive(Debug)]
pub(crate) enum CheckpointError {
    /// The server has given the work to another call.
    Stale,
    Failed(String),
}

/// A call that waits longer had better end: its answer saves the step as well.
const PATIENCE: Duration = Duration::from_secs(10);

impl Client {
    /// Saves steps of the run `run_id`. Saving a step again changes nothing: the first result stays.
    pub(crate) async fn checkpoint(
        &self,
        run_id: &str,
        item: &QueueItem<'_>,
        steps: &[Executed],
    ) -> Result<(), CheckpointError> {
        let steps = steps.iter().map(Op::executed).collect();
        let body = Body { run_id, item, ts: self.unix_milliseconds(), steps };
        let body = serde_json::to_vec(&body)
            .map_err(|error| CheckpointError::Failed(error.to_string()))?;
        let path = path(&["v1", "checkpoint", run_id, "async"], None);
        let request = self.api(Method::POST, &path, Bytes::from(body), &[]);
        match tokio::time::timeout(PATIENCE, request).await {
            Ok(Ok(response)) if response.status().is_success() && is_of_inngest(&response) => {
                Ok(())
            }
            Ok(Ok(response)) if response.status() == StatusCode::CONFLICT => {
                Err(CheckpointError::Stale)
            }
            Ok(Ok(response)) => Err(CheckpointError::Failed(format!("HTTP {}", response.status()))),
            Ok(Err(error)) => Err(CheckpointError::Failed(error.to_string())),
            Err(_) => Err(CheckpointError::Failed("no answer in time".to_owned())),
        }
    }

    pub(crate) fn unix_milliseconds(&self) -> u64 {
        let since = self.clock().now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Servers without this path show their web page, with 200. The real answer is empty.
fn is_of_inngest(answer: &http::Response<Bytes>) -> bool {
    let body = answer.body().trim_ascii();
    body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok()
}
