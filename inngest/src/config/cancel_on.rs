use std::time::Duration;

use serde::Serialize;

use crate::EventData;
use crate::check::{Mistakes, Purpose};
use crate::duration::serialize_wire_option;
use crate::expression::same;

/// An event that ends runs under way (P-084).
///
/// ```
/// # use std::time::Duration;
/// use inngest::{CancelOn, Config, EventData};
///
/// #[derive(serde::Deserialize)]
/// struct OrderCancelled {}
/// impl EventData for OrderCancelled { const NAME: &'static str = "shop/order.cancelled"; }
///
/// let cancel = CancelOn::event::<OrderCancelled>().same("data.orderId").within(Duration::from_secs(3600));
/// let config = Config::id("charge").cancel_on(cancel);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CancelOn {
    event: String,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_wire_option")]
    timeout: Option<Duration>,
}

impl CancelOn {
    /// Ends every run of the function when such an event comes.
    pub fn event<E: EventData>() -> Self {
        Self::named(E::NAME)
    }

    /// The same for an event that has no type.
    pub fn named(event: impl Into<String>) -> Self {
        Self { event: event.into(), condition: None, timeout: None }
    }

    /// Ends only the runs whose event has the same value at `path`, such as `data.orderId`. An event without that field ends
    /// none.
    #[must_use]
    pub fn same(self, path: &str) -> Self {
        self.matching(same(path))
    }

    /// Ends only the runs for which this holds; `event` started the run, `async` cancels it. It may compare, and not
    /// calculate or call functions. A field that both events lack counts as equal.
    #[must_use]
    pub fn matching(self, expression: impl Into<String>) -> Self {
        Self { condition: Some(expression.into()), ..self }
    }

    /// Ends a run only within this time after its start.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        if self.event.is_empty() {
            mistakes.add("cancel_on.event", "is empty");
        }
        mistakes.expression_for(
            Purpose::Cancellation,
            "cancel_on.matching",
            self.condition.as_deref(),
        );
        if let Some(timeout) = self.timeout {
            mistakes.positive("cancel_on.within", timeout);
        }
    }
}
