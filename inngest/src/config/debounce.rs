use std::time::Duration;

use serde::Serialize;

use crate::check::Mistakes;
use crate::duration::{DAY, serialize_wire, serialize_wire_option};

/// One run for events that follow each other closely: it starts when they pause, with the last of them (P-082).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Config, Debounce};
///
/// let debounce = Debounce::new(Duration::from_secs(5))
///     .key("event.data.documentId")
///     .at_most(Duration::from_secs(60));
/// let config = Config::id("charge").debounce(debounce);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Debounce {
    #[serde(serialize_with = "serialize_wire")]
    period: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_wire_option")]
    timeout: Option<Duration>,
}

impl Debounce {
    /// Starts once no event has come for `pause`: a second to seven days.
    pub fn new(pause: Duration) -> Self {
        Self { period: pause, key: None, timeout: None }
    }

    /// Events are gathered for each value of this expression separately.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    /// Starts after this time also when events keep coming.
    #[must_use]
    pub fn at_most(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.within("debounce.period", self.period, &(Duration::from_secs(1)..=7 * DAY));
        mistakes.expression("debounce.key", self.key.as_deref());
        if self.timeout.is_some_and(|timeout| timeout < self.period) {
            mistakes.add("debounce.at_most", "is shorter than the pause it would cut short");
        }
    }
}
