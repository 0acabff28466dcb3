//! Saving steps without ending the call.

use std::time::Duration;

use serde::Serialize;

use crate::duration::serialize_wire;

/// The longest that a call may take on the server (P-032).
const LONGEST_CALL: Duration = Duration::from_secs(2 * 60 * 60);

/// How a function saves its steps while a call goes on, instead of ending the call after each one (P-193).
///
/// Off unless [`Config::checkpointing`](crate::Config::checkpointing) says otherwise. Whatever cannot be saved
/// this way is reported the ordinary way, so a server without the checkpoint API runs the function just as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checkpointing {
    // The server gets them under these names, for information (P-088).
    #[serde(rename = "batch_steps")]
    pub(crate) steps_per_save: usize,
    #[serde(rename = "batch_interval", serialize_with = "serialize_wire")]
    pub(crate) save_interval: Duration,
    #[serde(serialize_with = "serialize_wire")]
    pub(crate) max_runtime: Duration,
}

impl Default for Checkpointing {
    /// Each step is saved before the code after it runs; a call goes on for 10 seconds.
    fn default() -> Self {
        Self {
            steps_per_save: 1,
            save_interval: Duration::from_secs(1),
            max_runtime: Duration::from_secs(10),
        }
    }
}

impl Checkpointing {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Saves up to `steps` steps with one request. Steps that were not saved yet run again after a crash, so
    /// more than one suits only steps that may run twice. 0 counts as 1.
    #[must_use]
    pub fn steps_per_save(self, steps: usize) -> Self {
        Self { steps_per_save: steps.max(1), ..self }
    }

    /// Saves sooner than [`steps_per_save`](Self::steps_per_save) says when the oldest unsaved step ended this
    /// long ago. Looked at whenever a step ends; 1 second by default.
    #[must_use]
    pub fn save_interval(self, interval: Duration) -> Self {
        Self { save_interval: interval.min(LONGEST_CALL), ..self }
    }

    /// Ends the call with the first step that ends after this time, at most 2 hours; the run goes on in another call.
    #[must_use]
    pub fn max_runtime(self, time: Duration) -> Self {
        Self { max_runtime: time.min(LONGEST_CALL), ..self }
    }
}
