use std::time::Duration;

use serde_json::Value;

/// A run that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub(super) result: Result<Value, RunError>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) calls: usize,
    pub(super) sent: Vec<Value>,
}

/// Why a run has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunError {
    /// The kind of error: [`Error::named`](crate::Error::named).
    pub name: String,
    /// What the server and its users see.
    pub message: String,
    /// The function said that no retry can help.
    pub is_final: bool,
    /// How often the code outside steps was tried, at the place where it failed.
    pub attempts: u32,
}

/// A step that the run has come to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// Its id; `<id>:1` for the second of the same id.
    pub id: String,
    /// The operation that the server was asked for: `StepPlanned` for a step with code.
    pub op: String,
    /// What goes with the operation, such as the duration of a sleep.
    pub opts: Value,
    /// How often its code has run; 0 for one without code, or with a mock.
    pub attempts: u32,
    /// The `Retry-After` of each failed attempt, where it set one.
    pub delays: Vec<Option<Duration>>,
    /// What was saved for it.
    pub result: Result<Value, String>,
}

impl Finished {
    pub(super) fn refused(problem: &str) -> Self {
        let (name, message) = ("Error".to_owned(), problem.to_owned());
        let error = RunError { name, message, is_final: true, attempts: 0 };
        Self { result: Err(error), steps: Vec::new(), calls: 0, sent: Vec::new() }
    }

    /// What the function returned; `None` when the run failed.
    pub fn output(&self) -> Option<&Value> {
        self.result.as_ref().ok()
    }

    /// Why the run failed; `None` when it did not.
    pub fn error(&self) -> Option<&RunError> {
        self.result.as_ref().err()
    }

    /// All steps, in the order in which the function came to them. Those that were finished before are not among them.
    pub fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    /// Their ids.
    pub fn step_ids(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.id.as_str()).collect()
    }

    /// The step `id`.
    pub fn step(&self, id: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The events that steps have sent, as JSON.
    pub fn sent_events(&self) -> &[Value] {
        &self.sent
    }

    /// How often the function was called: 1 when it ended before its first step.
    pub fn calls(&self) -> usize {
        self.calls
    }
}
