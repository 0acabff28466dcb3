//! One run of one function: its results so far, and what it waits for.

pub(crate) mod end;
mod memo;
pub(crate) mod wait;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use ulid::Ulid;

use self::memo::Memo;
use crate::event::Event;
use crate::observe::Observation;
use crate::ops::Step;
use crate::registry::Function;

/// The status of a run, in the words of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// The step that waits for a run which it invoked.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) run: Ulid,
    pub(crate) step: String,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: Ulid,
    /// As registered when the run started; its URL is looked up anew for every call.
    pub(crate) function: Arc<Function>,
    /// Never empty; more than one for a batch.
    events: Vec<Arc<Event>>,
    /// The step that invoked this run.
    pub(crate) parent: Option<Parent>,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) status: Status,
    pub(crate) output: Option<Value>,
    pub(crate) memo: Memo,
    /// `X-Inngest-Req-Version` of the first 206; -1 until then (P-002).
    pub(crate) version: i64,
    /// `ctx.disable_immediate_execution` of the calls to come (P-162).
    pub(crate) force_step_plan: bool,
    /// Steps of a parallel group that are not saved yet; with version 2 discovery waits for them (P-163).
    pub(crate) pending: HashSet<String>,
    /// Steps that were scheduled once: reporting them again changes nothing (P-171).
    pub(crate) scheduled: HashSet<String>,
    /// Queue items and waits of the run. Without any it could never continue.
    pub(crate) outstanding: usize,
    /// The function was called for this run.
    pub(crate) begun: bool,
    /// A call of this run saved steps through the checkpoint API (P-194).
    pub(crate) checkpointed: bool,
    /// Discoveries in a row that returned no op (P-139).
    pub(crate) idle_discoveries: u32,
}

impl Run {
    /// `None` without an event.
    pub(crate) fn new(
        id: Ulid,
        function: Arc<Function>,
        events: Vec<Arc<Event>>,
        parent: Option<Parent>,
        now_ms: i64,
    ) -> Option<Self> {
        if events.is_empty() {
            return None;
        }
        Some(Self {
            id,
            function,
            events,
            parent,
            started_at: now_ms,
            ended_at: None,
            status: Status::Running,
            output: None,
            memo: Memo::default(),
            version: -1,
            force_step_plan: false,
            pending: HashSet::new(),
            scheduled: HashSet::new(),
            outstanding: 0,
            begun: false,
            checkpointed: false,
            idle_discoveries: 0,
        })
    }

    /// The ids of the run and of its function, for observations.
    pub(crate) fn ids(&self) -> (String, String) {
        (self.id.to_string(), self.function.id.clone())
    }

    /// The event that started the run, the first one of a batch.
    pub(crate) fn event(&self) -> &Event {
        &self.events[0]
    }

    pub(crate) fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// Saves the result of a step. The observation is `None` for a step that had one already.
    pub(crate) fn save(
        &mut self,
        step: &Step,
        memo: Arc<Value>,
        bytes: usize,
        attempt: u32,
    ) -> Option<Observation> {
        self.pending.remove(&step.hash);
        // A wrapper has one key; the raw event of a wait has several (P-106).
        let wrapped = memo.as_object().filter(|fields| fields.len() == 1);
        let field = |name: &str| wrapped.and_then(|fields| fields.get(name)).cloned();
        let result = match (field("error"), field("data")) {
            (Some(error), _) => Err(error),
            (None, Some(data)) => Ok(data),
            (None, None) => Ok(Value::clone(&memo)),
        };
        let (run_id, function_id) = self.ids();
        self.memo.save(&step.hash, memo, bytes).then(|| Observation::StepFinished {
            run_id,
            function_id,
            step_id: step.hash.clone(),
            name: step.name.clone(),
            result,
            attempt,
        })
    }

    /// The server waits for all steps of a parallel group before it calls again (P-163).
    pub(crate) fn coalesces(&self) -> bool {
        self.version >= 2
    }
}
