//! What the steps of a run returned.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

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
    pub(super) fn save(&mut self, hash: &str, value: Arc<Value>, bytes: usize) -> bool {
        if self.steps.contains_key(hash) {
            return false;
        }
        self.bytes += bytes;
        self.steps.insert(hash.to_owned(), value);
        self.stack.push(hash.to_owned());
        true
    }

    pub(crate) fn contains(&self, hash: &str) -> bool {
        self.steps.contains_key(hash)
    }

    pub(crate) fn len(&self) -> usize {
        self.stack.len()
    }

    /// Size of all results as the real server counts it.
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
