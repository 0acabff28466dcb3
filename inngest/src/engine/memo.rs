//! What the server remembers of a run: the results of finished steps, unparsed until a step asks for its own.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::StepError;
use crate::json::{Mismatch, decode};
use crate::step_error::MemoError;

/// The `steps` map and the completion order of a call request.
#[derive(Debug, Default)]
pub(crate) struct Memo<'b> {
    steps: HashMap<&'b str, &'b RawValue>,
    /// What middleware has put in place of some of them.
    replaced: HashMap<String, Box<RawValue>>,
    rank: HashMap<&'b str, usize>,
}

impl<'b> Memo<'b> {
    /// `stack` lists the hashes in the order in which their steps were saved (P-151).
    pub(crate) fn new(
        steps: HashMap<&'b str, &'b RawValue>,
        replaced: HashMap<String, Box<RawValue>>,
        stack: impl IntoIterator<Item = &'b str>,
    ) -> Self {
        let rank = stack.into_iter().enumerate().map(|(rank, hash)| (hash, rank)).collect();
        Self { steps, replaced, rank }
    }

    /// The memo of a step, as the server sent it or middleware has left it.
    pub(crate) fn get(&self, hash: &str) -> Option<&RawValue> {
        self.steps.get(hash).map(|sent| self.current(hash, sent))
    }

    fn current<'s>(&'s self, hash: &str, sent: &'s RawValue) -> &'s RawValue {
        self.replaced.get(hash).map_or(sent, |new| new)
    }

    /// Whether the step is done. An `{"input":..}` entry is a step to be run again (P-154).
    pub(crate) fn is_finished(&self, hash: &str) -> bool {
        self.get(hash).is_some_and(|raw| !is_rerun(raw))
    }

    /// How many steps have a result.
    pub(crate) fn finished(&self) -> usize {
        self.steps.len()
    }

    /// How many steps are done: those with a result that are not to be run again.
    pub(crate) fn done(&self) -> usize {
        self.steps.iter().filter(|(hash, sent)| !is_rerun(self.current(hash, sent))).count()
    }

    /// When the step was saved, relative to others; steps that the server does not list come last (P-152).
    pub(crate) fn rank(&self, hash: &str) -> usize {
        self.rank.get(hash).copied().unwrap_or(usize::MAX)
    }
}

/// Whether this is exactly `{"input":..}`. Being the only key it comes first, so that large results are not
/// scanned for it.
fn is_rerun(raw: &RawValue) -> bool {
    let first_key = raw.get().strip_prefix('{').unwrap_or_default().trim_start();
    first_key.starts_with("\"input\"") && serde_json::from_str::<Rerun>(raw.get()).is_ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rerun {
    #[serde(rename = "input")]
    _input: serde::de::IgnoredAny,
}

/// The wrapper that the server puts around results (P-106). Only the outermost layer is the server's: a step's
/// own data may look the same.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Distinguishes `"data":null`, which is a result, from an absent key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads the memo of a `run` step. The outer error says that the code asks for another type than was saved.
pub(crate) fn decode_run<T: DeserializeOwned>(
    step_id: &str,
    raw: &RawValue,
) -> Result<Result<T, StepError>, Mismatch> {
    // Nearly every memo is exactly `{"data":..}`: one pass over it, and no second one for the path of an error.
    let only_data = raw.get().strip_prefix("{\"data\":").and_then(|rest| rest.strip_suffix('}'));
    if let Some(Ok(data)) = only_data.map(serde_json::from_str) {
        return Ok(Ok(data));
    }
    // A derived struct would take a list for its fields in order.
    let is_object = raw.get().starts_with('{');
    let shape = is_object.then(|| serde_json::from_str(raw.get()).ok()).flatten();
    let data = match shape {
        Some(Shape { error: Some(error), .. }) if error.get() != "null" => {
            return Ok(Err(step_error(step_id, error)));
        }
        Some(Shape { data: Some(data), .. }) => data,
        _ => raw,
    };
    decode(data).map(Ok)
}

fn step_error(step_id: &str, error: &RawValue) -> StepError {
    match serde_json::from_str::<MemoError>(error.get()) {
        Ok(error) => StepError::from_memo(step_id, error),
        Err(_) => StepError::new(step_id, "Error", error.get()),
    }
}
