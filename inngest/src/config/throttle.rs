use std::time::Duration;

use serde::Serialize;

use crate::check::Mistakes;
use crate::duration::serialize_wire;

/// How fast runs may start; those over it wait (P-082).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Config, Throttle};
///
/// // Seven a second, with up to three more at once after a pause, for each account.
/// let throttle = Throttle::new(7, Duration::from_secs(1)).burst(3).key("event.data.accountId");
/// let config = Config::id("charge").throttle(throttle);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Throttle {
    limit: u32,
    #[serde(serialize_with = "serialize_wire")]
    period: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Throttle {
    /// At most `runs` in each `period`.
    pub fn new(runs: u32, period: Duration) -> Self {
        Self { limit: runs, period, burst: None, key: None }
    }

    /// So many more may start at once.
    #[must_use]
    pub fn burst(self, runs: u32) -> Self {
        Self { burst: Some(runs), ..self }
    }

    /// The limit holds for each value of this expression separately.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.at_least("throttle.limit", self.limit, 1);
        mistakes.positive("throttle.period", self.period);
        mistakes.expression("throttle.key", self.key.as_deref());
    }
}
