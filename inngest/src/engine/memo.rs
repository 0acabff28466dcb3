//! What the server remembers of a run: the results of finished steps, unparsed until a step asks for its own.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Mismatch, decode};
use crate::middleware::{Hooks, PayloadKind};
use crate::step_error::MemoError;
use crate::{Error, StepError};

/// The `steps` map of a call request, with the completion order.
#[derive(Debug, Default)]
pub(crate) struct Memo<'b>(Steps<'b>);

/// What the server sent of each step, in the order of the hashes. It sends them in that order, so nothing has to be built to
/// find one of them.
#[derive(Debug, Default)]
pub(crate) struct Steps<'b>(Vec<(&'b str, Saved<'b>)>);

/// What the server sent of one step.
#[derive(Debug)]
struct Saved<'b> {
    raw: &'b RawValue,
    /// When it was saved, relative to others; steps that the server does not list come last (P-152).
    rank: usize,
}

impl<'b, 'de: 'b> Deserialize<'de> for Steps<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepsVisitor)
    }
}

struct StepsVisitor;

impl<'de> Visitor<'de> for StepsVisitor {
    type Value = Steps<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the steps of a run by their hashes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Steps<'de>, A::Error> {
        let mut steps = Vec::new();
        while let Some((hash, raw)) = entries.next_entry()? {
            steps.push((hash, Saved { raw, rank: usize::MAX }));
        }
        if !steps.is_sorted_by(|(one, _), (next, _)| one < next) {
            steps.sort_by_key(|(hash, _)| *hash);
            // Of several with one hash the last counts.
            steps.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Ok(Steps(steps))
    }
}

impl<'b> Steps<'b> {
    fn place(&self, hash: &str) -> Option<usize> {
        self.0.binary_search_by_key(&hash, |(known, _)| known).ok()
    }

    fn get(&self, hash: &str) -> Option<&Saved<'b>> {
        self.place(hash).and_then(|place| self.0.get(place)).map(|(_, saved)| saved)
    }
}

impl<'b> Memo<'b> {
    /// `stack` lists the hashes in the order in which their steps were saved (P-151).
    pub(crate) fn new(mut steps: Steps<'b>, stack: impl IntoIterator<Item = &'b str>) -> Self {
        for (rank, hash) in stack.into_iter().enumerate() {
            let place = steps.place(hash);
            if let Some((_, saved)) = place.and_then(|place| steps.0.get_mut(place)) {
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
        self.0.0.len()
    }

    /// How many steps are done: those with a result that are not to be run again.
    pub(crate) fn done(&self) -> usize {
        self.0.0.iter().filter(|(_, saved)| !is_rerun(saved.raw)).count()
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

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn steps_are_found_in_whatever_order_they_come_and_of_equal_ones_the_last_counts() {
        for text in [
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"c":3,"b":7,"a":1,"b":2}"#,
            r#"{"b":7,"b":2,"c":3,"a":1}"#,
        ] {
            let steps: Steps<'_> = serde_json::from_str(text).unwrap();
            let found =
                ["a", "b", "c", "d"].map(|hash| steps.get(hash).map(|saved| saved.raw.get()));
            assert_eq!(found, [Some("1"), Some("2"), Some("3"), None], "{text}");
            assert_eq!(steps.0.len(), 3);
        }
    }
}
