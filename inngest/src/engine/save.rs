//! Saving steps while a call goes on (P-194).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::ops::Op;
use super::slots::Executed;
use crate::Client;
use crate::client::{path, retry_after};

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
pub(super) enum SaveError {
    /// The server has given the work to another call.
    Stale,
    Failed(String),
}

/// A call that waits longer had better end: its answer saves the step as well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Saves steps of the run `run_id`. Saving a step again changes nothing: the first result stays.
pub(super) async fn save(
    client: &Client,
    run_id: &str,
    item: &QueueItem<'_>,
    steps: &[Executed],
) -> Result<(), SaveError> {
    let steps = steps.iter().map(Op::executed).collect();
    let body = Body { run_id, item, ts: client.clock().unix_milliseconds(), steps };
    let body = serde_json::to_vec(&body).map_err(|error| SaveError::Failed(error.to_string()))?;
    let path = path(&["v1", "checkpoint", run_id, "async"], None);
    let request = client.api(Method::POST, &path, Bytes::from(body), &[]);
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(response)) if response.status().is_success() && is_of_inngest(&response) => Ok(()),
        Ok(Ok(response)) if response.status() == StatusCode::CONFLICT => Err(SaveError::Stale),
        Ok(Ok(response)) => {
            if let Some(pause) = retry_after(response.headers(), client.clock().now()) {
                client.pause_checkpoints(pause);
            }
            Err(SaveError::Failed(format!("HTTP {}", response.status())))
        }
        Ok(Err(error)) => Err(SaveError::Failed(error.to_string())),
        Err(_) => Err(SaveError::Failed("no answer in time".to_owned())),
    }
}

/// Servers without this path show their web page, with 200. The real answer is empty.
fn is_of_inngest(answer: &http::Response<Bytes>) -> bool {
    let body = answer.body().trim_ascii();
    body.is_empty() || serde_json::from_slice::<IgnoredAny>(body).is_ok()
}
