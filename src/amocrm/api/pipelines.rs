//! The names of pipelines and their stages.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

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
    /// What amoCRM shows of it.
    pub(super) fn of(answer: &Value) -> Self {
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

impl Pipelines {
    /// What was read not long before `now`, unless it lacks the stage that is asked for: it is newer then.
    pub(super) fn fresh(
        &self,
        pipeline_id: u64,
        status_id: Option<u64>,
        now: Duration,
    ) -> Option<Pipeline> {
        let (read, pipeline) = self.lock().get(&pipeline_id).cloned()?;
        let is_fresh = now.saturating_sub(read) < FRESH
            && status_id.is_none_or(|status_id| pipeline.stages.contains_key(&status_id));
        is_fresh.then_some(pipeline)
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, pipeline_id: u64, read: Duration, pipeline: Pipeline) {
        self.lock().insert(pipeline_id, (read, pipeline));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Duration, Pipeline)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
