//! One run of one function: what it has learned so far, and what it waits for.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use ulid::Ulid;

use crate::event::Event;
use crate::registry::Function;

/// Where a run stands, in the words of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Completed,
    Failed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: Ulid,
    /// As registered when the run started; its URL is looked up anew for every call.
    pub(crate) function: Arc<Function>,
    pub(crate) event: Arc<Event>,
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
    /// Discoveries in a row that brought nothing (P-139).
    pub(crate) idle_discoveries: u32,
}

impl Run {
    pub(crate) fn new(id: Ulid, function: Arc<Function>, event: Arc<Event>, now_ms: i64) -> Self {
        Self {
            id,
            function,
            event,
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
            idle_discoveries: 0,
        }
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
    pub(crate) fn save(&mut self, hash: &str, value: Value, bytes: usize) -> bool {
        if self.steps.contains_key(hash) {
            return false;
        }
        self.steps.insert(hash.to_owned(), Arc::new(value));
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
