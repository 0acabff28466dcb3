use std::time::Duration;

use serde::Serialize;

use crate::EventData;
use crate::check::Mistakes;
use crate::duration::serialize_wire_option;

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
/// // `event` is the one that started the run, `async` the one that cancels it.
/// let same_order = "event.data.orderId == async.data.orderId";
/// let cancel = CancelOn::event::<OrderCancelled>().matching(same_order).within(Duration::from_secs(3600));
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

    /// Ends only the runs for which this holds; `event` started the run, `async` cancels it.
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
        mistakes.expression("cancel_on.matching", self.condition.as_deref());
        if let Some(timeout) = self.timeout {
            mistakes.positive("cancel_on.within", timeout);
        }
    }
}
