//! What the functions under test note for the tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What the functions did, by run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// How often the body of each step ran.
    pub(crate) bodies: BTreeMap<String, u32>,
    /// What the function returned: the official server does not report it for a checkpointed run (P-137).
    pub(crate) output: Option<Value>,
    /// The error that the failure handler received.
    pub(crate) failure: Option<Value>,
}

impl Journal {
    /// Counts a run of a step's body, and returns the count.
    pub(super) fn body(&self, run: &str, step: &str) -> u32 {
        let mut runs = self.0.lock().unwrap();
        let count =
            runs.entry(run.to_owned()).or_default().bodies.entry(step.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(super) fn failed(&self, run: &str, why: Value) {
        self.0.lock().unwrap().entry(run.to_owned()).or_default().failure = Some(why);
    }

    /// `run` is any name under which the test looks for it.
    pub(super) fn returns(&self, run: &str, output: &Value) {
        self.0.lock().unwrap().entry(run.to_owned()).or_default().output = Some(output.clone());
    }

    pub(crate) fn entry(&self, run: &str) -> Entry {
        self.0.lock().unwrap().get(run).cloned().unwrap_or_default()
    }
}
