use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::answer::ApiError;
use super::client::{AmoCrmClient, ApiCall};

/// Names change seldom, and leads come in bursts.
const FRESH: Duration = Duration::from_secs(600);

/// The pipelines that were read, and when, on the clock that never jumps.
#[derive(Default)]
pub(super) struct Pipelines(Mutex<HashMap<u64, (Duration, Pipeline)>>);

/// The names in one pipeline.
#[derive(Clone, Default)]
pub(super) struct Pipeline {
    pub(super) name: Option<String>,
    stages: HashMap<u64, String>,
}

impl Pipeline {
    fn of(answer: &Value) -> Self {
        let name = |entry: &Value| entry["name"].as_str().map(str::to_owned);
        let stages = answer["_embedded"]["statuses"].as_array().map(Vec::as_slice);
        let stage = |entry: &Value| Some((entry["id"].as_u64()?, name(entry)?));
        let stages = stages.unwrap_or_default().iter().filter_map(stage).collect();
        Self { name: name(answer), stages }
    }

    /// The name of a stage.
    pub(super) fn stage(&self, status_id: u64) -> Option<String> {
        self.stages.get(&status_id).cloned()
    }
}

impl AmoCrmClient {
    /// The names in a pipeline, not older than ten minutes, unless a stage is asked for that is newer than they are. There
    /// are none where amoCRM does not show the pipeline.
    pub(super) async fn pipeline(
        &self,
        pipeline_id: u64,
        status_id: Option<u64>,
    ) -> Result<Pipeline, ApiError> {
        let now = self.uptime();
        let known = self.pipelines().lock().get(&pipeline_id).cloned();
        if let Some((read, pipeline)) = known
            && now.saturating_sub(read) < FRESH
            && status_id.is_none_or(|status_id| pipeline.stages.contains_key(&status_id))
        {
            return Ok(pipeline);
        }
        let path = format!("/api/v4/leads/pipelines/{pipeline_id}");
        let call = ApiCall::look_for(&path).needing_rights();
        let answer = self.read::<Value>(&call).await?;
        let pipeline = answer.as_ref().map(Pipeline::of).unwrap_or_default();
        self.pipelines().lock().insert(pipeline_id, (now, pipeline.clone()));
        Ok(pipeline)
    }
}

impl Pipelines {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Duration, Pipeline)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
