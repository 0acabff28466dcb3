use std::time::Duration;

use serde::Serialize;

use crate::check::Mistakes;
use crate::duration::{DAY, serialize_wire};

/// How many events may start a run; those over it are dropped (P-082).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Config, RateLimit};
///
/// let hour = Duration::from_secs(60 * 60);
/// let config = Config::id("charge").rate_limit(RateLimit::new(10, hour).key("event.data.userId"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    limit: u32,
    #[serde(serialize_with = "serialize_wire")]
    period: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl RateLimit {
    /// At most `runs` in each `period`, which is at most a day.
    pub fn new(runs: u32, period: Duration) -> Self {
        Self { limit: runs, period, key: None }
    }

    /// The limit holds for each value of this expression separately.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.at_least("rate_limit.limit", self.limit, 1);
        mistakes.within("rate_limit.period", self.period, &(Duration::from_secs(1)..=DAY));
        mistakes.expression("rate_limit.key", self.key.as_deref());
    }
}
