//! One run of one function: what it has learned so far, and what it waits for.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use ulid::Ulid;

use crate::event::Event;
use crate::executor::ops::Step;
use crate::observe::Observation;
use crate::registry::Function;

/// Where a run stands, in the words of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
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
    /// Queue items that wait or are worked on. A running run without any could never continue.
    pub(crate) outstanding: usize,
    /// Was the function called for this run?
    pub(crate) begun: bool,
    /// Did a call of this run save steps by itself (P-194)?
    pub(crate) checkpointed: bool,
    /// Discoveries in a row that brought nothing (P-139).
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

    /// The event that started the run, the first one of a batch.
    pub(crate) fn event(&self) -> &Event {
        &self.events[0]
    }

    pub(crate) fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// Saves the result of a step. What to tell of it, if it is the first one.
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
        self.memo.save(&step.hash, memo, bytes).then(|| Observation::StepFinished {
            run_id: self.id.to_string(),
            function_id: self.function.id.clone(),
            step_id: step.hash.clone(),
            name: step.name.clone(),
            result,
            attempt,
        })
    }

    /// Does the server gather the steps of a parallel group before it calls again?
    pub(crate) fn coalesces(&self) -> bool {
        self.version >= 2
    }
}

/// Results of the steps that are done.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    steps: BTreeMap<String, Arc<Value>>,
    /// Hashes in the order in which they were saved (P-151).
    stack: Vec<String>,
    bytes: usize,
}

impl Memo {
    /// The first result wins: a second one for the same step changes nothing (P-158).
    fn save(&mut self, hash: &str, value: Arc<Value>, bytes: usize) -> bool {
        if self.steps.contains_key(hash) {
            return false;
        }
        self.steps.insert(hash.to_owned(), value);
        self.stack.push(hash.to_owned());
        self.bytes += bytes;
        true
    }

    pub(crate) fn contains(&self, hash: &str) -> bool {
        self.steps.contains_key(hash)
    }

    pub(crate) fn len(&self) -> usize {
        self.stack.len()
    }

    /// Size of all results as JSON.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn stack(&self) -> &[String] {
        &self.stack
    }

    pub(crate) fn hashes(&self) -> HashSet<String> {
        self.steps.keys().cloned().collect()
    }

    /// `steps` of a call.
    pub(crate) fn to_json(&self) -> Value {
        self.steps.iter().map(|(hash, value)| (hash.clone(), Value::clone(value))).collect()
    }
}
