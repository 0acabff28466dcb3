//! What the server remembers of a run: the results of finished steps, unparsed until a step asks for its own.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::json::{Mismatch, decode};
use crate::middleware::{Hooks, PayloadKind};
use crate::step_error::MemoError;
use crate::{Error, StepError};

/// The `steps` map of a call request, with the completion order.
#[derive(Debug, Default)]
pub(crate) struct Memo<'b>(Steps<'b>);

/// What the server sent of each step, by its hash. A tree: the server sends them in the order of their hashes, most runs have
/// few, and no one has to be protected from hashes that the server has chosen.
pub(crate) type Steps<'b> = BTreeMap<&'b str, Saved<'b>>;

/// What the server sent of one step.
#[derive(Debug)]
pub(crate) struct Saved<'b> {
    raw: &'b RawValue,
    /// When it was saved, relative to others; steps that the server does not list come last (P-152).
    rank: usize,
}

impl<'b, 'de: 'b> Deserialize<'de> for Saved<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { raw: Deserialize::deserialize(deserializer)?, rank: usize::MAX })
    }
}

impl<'b> Memo<'b> {
    /// `stack` lists the hashes in the order in which their steps were saved (P-151).
    pub(crate) fn new(mut steps: Steps<'b>, stack: impl IntoIterator<Item = &'b str>) -> Self {
        for (rank, hash) in stack.into_iter().enumerate() {
            if let Some(saved) = steps.get_mut(hash) {
                saved.rank = rank;
            }
        }
        Self(steps)
    }

    /// The memo of a step, as the server sent it.
    pub(crate) fn get(&self, hash: &str) -> Option<&'b RawValue> {
        self.0.get(hash).map(|saved| saved.raw)
    }

    /// The place of a step among those that are done. An `{"input":..}` entry is a step to be run again (P-154).
    pub(crate) fn rank_if_finished(&self, hash: &str) -> Option<usize> {
        self.0.get(hash).filter(|saved| !is_rerun(saved.raw)).map(|saved| saved.rank)
    }

    /// Whether the step is done.
    pub(crate) fn is_finished(&self, hash: &str) -> bool {
        self.rank_if_finished(hash).is_some()
    }

    /// The arguments that a person has written for a step to be run again. Where there are none the step's own count, as in
    /// the TypeScript SDK.
    pub(crate) fn edited_input(&self, hash: &str) -> Option<Vec<&'b RawValue>> {
        let saved = self.get(hash).filter(|raw| is_rerun(raw))?;
        let Rerun { input } = serde_json::from_str(saved.get()).ok()?;
        let arguments: Vec<_> = serde_json::from_str(input.get()).ok()?;
        (!arguments.is_empty()).then_some(arguments)
    }

    /// How many steps have a result.
    pub(crate) fn finished(&self) -> usize {
        self.0.len()
    }

    /// How many steps are done: those with a result that are not to be run again.
    pub(crate) fn done(&self) -> usize {
        self.0.values().filter(|saved| !is_rerun(saved.raw)).count()
    }
}

/// Whether this is exactly `{"input":..}`. Being the only key it comes first, so that large results are not
/// scanned for it.
fn is_rerun(raw: &RawValue) -> bool {
    let first_key = raw.get().strip_prefix('{').unwrap_or_default().trim_start();
    first_key.starts_with("\"input\"") && serde_json::from_str::<Rerun<'_>>(raw.get()).is_ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rerun<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
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

/// Why a saved result cannot be given to the function.
pub(crate) enum Unreadable {
    /// The code asks for another type than was saved.
    Mismatch(Mismatch),
    /// Middleware refuses it.
    Refused(Error),
}

/// Reads the memo of a `run` step.
pub(crate) fn decode_run<T: DeserializeOwned>(
    step_id: &str,
    raw: &RawValue,
    hooks: Hooks<'_>,
) -> Result<Result<T, StepError>, Unreadable> {
    // Nearly every memo is exactly `{"data":..}`: one pass over it, and no second one for the path of an error.
    let only_data = raw.get().strip_prefix("{\"data\":").and_then(|rest| rest.strip_suffix('}'));
    match only_data {
        Some(data) if hooks.is_empty() => {
            if let Ok(data) = serde_json::from_str(data) {
                return Ok(Ok(data));
            }
        }
        Some(data) => {
            if let Ok(data) = serde_json::from_str(data) {
                return decode_result(step_id, data, hooks).map(Ok);
            }
        }
        None => {}
    }
    // A derived struct would take a list for its fields in order.
    let is_object = raw.get().starts_with('{');
    let shape = is_object.then(|| serde_json::from_str(raw.get()).ok()).flatten();
    let data = match shape {
        Some(Shape { error: Some(error), .. }) if error.get() != "null" => {
            return step_error(step_id, error, hooks).map(Err).map_err(Unreadable::Refused);
        }
        Some(Shape { data: Some(data), .. }) => data,
        _ => raw,
    };
    decode_result(step_id, data, hooks).map(Ok)
}

/// Reads the result of a step, without the server's wrapper.
pub(crate) fn decode_result<T: DeserializeOwned>(
    step_id: &str,
    data: &RawValue,
    hooks: Hooks<'_>,
) -> Result<T, Unreadable> {
    let changed = hooks.incoming(PayloadKind::Step { id: step_id }, data);
    let changed = changed.map_err(Unreadable::Refused)?;
    decode(changed.as_deref().unwrap_or(data)).map_err(Unreadable::Mismatch)
}

fn step_error(step_id: &str, error: &RawValue, hooks: Hooks<'_>) -> Result<StepError, Error> {
    let Ok(error) = serde_json::from_str::<MemoError>(error.get()) else {
        return Ok(StepError::new(step_id, "Error", error.get()));
    };
    let error = StepError::from_memo(step_id, error);
    let data = hooks.incoming_error_data(Some(step_id), error.data)?;
    Ok(StepError { data, ..error })
}
