use std::time::Duration;

use serde::Serialize;

use crate::check::Mistakes;
use crate::duration::serialize_wire;

/// One run for several events (P-081). The function gets them from [`Context::events`](crate::Context::events).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Batch, Config};
///
/// let batch = Batch::new(10, Duration::from_secs(5)).key("event.data.shopId").only_if("event.data.total > 0");
/// let config = Config::id("charge").batch(batch);
/// ```
///
/// It excludes cancellation, debounce, priority and singleton, which look at one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    max_size: u32,
    /// In seconds and milliseconds: the server takes no days here.
    #[serde(serialize_with = "serialize_wire")]
    timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
}

impl Batch {
    /// Up to `max_size` events, at least two; fewer when `timeout` has passed since the first.
    pub fn new(max_size: u32, timeout: Duration) -> Self {
        Self { max_size, timeout, key: None, condition: None }
    }

    /// Events are gathered for each value of this expression separately.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    /// Only events for which this holds are gathered; others start a run of their own.
    #[must_use]
    pub fn only_if(self, expression: impl Into<String>) -> Self {
        Self { condition: Some(expression.into()), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.at_least("batch.max_size", self.max_size, 2);
        mistakes.positive("batch.timeout", self.timeout);
        mistakes.expression("batch.key", self.key.as_deref());
        mistakes.expression("batch.only_if", self.condition.as_deref());
    }
}
