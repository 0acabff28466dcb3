use std::time::Duration;

use serde::Serialize;

use crate::check::Mistakes;
use crate::duration::serialize_wire_option;

/// How long a run may wait and take; one that is over it is cancelled (P-085).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Config, Timeouts};
///
/// let timeouts = Timeouts::new().start(Duration::from_secs(60)).finish(Duration::from_secs(3600));
/// let config = Config::id("charge").timeouts(timeouts);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_wire_option")]
    start: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_wire_option")]
    finish: Option<Duration>,
}

impl Timeouts {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The longest time from the event to the first call.
    #[must_use]
    pub fn start(self, limit: Duration) -> Self {
        Self { start: Some(limit), ..self }
    }

    /// The longest time from the first call to the end.
    #[must_use]
    pub fn finish(self, limit: Duration) -> Self {
        Self { finish: Some(limit), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        for (setting, limit) in [("timeouts.start", self.start), ("timeouts.finish", self.finish)] {
            if let Some(limit) = limit {
                mistakes.positive(setting, limit);
            }
        }
        if self.start.is_none() && self.finish.is_none() {
            mistakes.add("timeouts", "has no limit; set start, finish or both");
        }
    }
}
