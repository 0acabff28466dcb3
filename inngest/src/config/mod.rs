//! How the server runs a function.

mod batch;
mod cancel_on;
mod concurrency;
mod debounce;
mod rate_limit;
mod singleton;
mod throttle;
mod timeouts;

use serde::Serialize;

pub use batch::Batch;
pub use cancel_on::CancelOn;
pub use concurrency::Concurrency;
pub use debounce::Debounce;
pub use rate_limit::RateLimit;
pub use singleton::Singleton;
pub use throttle::Throttle;
pub use timeouts::Timeouts;

use crate::check::Mistakes;
use crate::{Checkpointing, Trigger};

/// The most retries that the server grants; it clamps larger numbers without saying so (P-079).
const MAX_RETRIES: u8 = 20;
const MAX_CONCURRENCY: usize = 2;
const MAX_CANCEL: usize = 5;

/// A function as the server knows it: its id and name, what starts it, how it is run. What is not set is left out
/// of the registration, and so to the server (T62).
///
/// All of it is checked when the endpoint is built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(skip)]
    pub(crate) id: String,
    #[serde(skip)]
    pub(crate) name: Option<String>,
    #[serde(skip)]
    pub(crate) retries: Option<u8>,
    #[serde(skip)]
    triggers: Vec<Trigger>,
    #[serde(skip)]
    pub(crate) only_invoked: bool,
    #[serde(rename = "checkpoint", skip_serializing_if = "Option::is_none")]
    pub(crate) checkpointing: Option<Checkpointing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    concurrency: Vec<Concurrency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    debounce: Option<Debounce>,
    #[serde(rename = "batchEvents", skip_serializing_if = "Option::is_none")]
    batch: Option<Batch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency: Option<String>,
    #[serde(rename = "cancel", skip_serializing_if = "Vec::is_empty")]
    cancel_on: Vec<CancelOn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeouts: Option<Timeouts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    singleton: Option<Singleton>,
}

/// The wire form of a priority (P-087).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Priority {
    run: String,
}

impl Config {
    /// A function with this id within its app, and everything else as the server has it. Runs under way are lost when
    /// the id changes.
    pub fn id(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// The name shown to people; the id otherwise.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Names something that starts it. May be given up to ten times.
    ///
    /// Where no event is named, every event of [`Function::Event`](crate::Function::Event) starts it; schedules come
    /// beside those.
    #[must_use]
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.triggers.push(trigger);
        self
    }

    /// Starts it with every event of this name.
    #[must_use]
    pub fn event(self, name: impl Into<String>) -> Self {
        self.trigger(Trigger::named(name))
    }

    /// Starts it by a schedule, see [`Trigger::cron`].
    #[must_use]
    pub fn cron(self, fields: impl Into<String>) -> Self {
        self.trigger(Trigger::cron(fields))
    }

    /// Lets nothing start it but other functions and people, by its id.
    #[must_use]
    pub fn only_invoked(self) -> Self {
        Self { only_invoked: true, ..self }
    }

    /// What starts it: the events of its type unless others are named, and its schedules.
    pub(crate) fn triggers_or(&self, of_type: &[Trigger]) -> Vec<Trigger> {
        let named = self.triggers.iter().any(|trigger| trigger.event_name().is_some());
        let of_type = if named || self.only_invoked { &[] } else { of_type };
        [of_type, &self.triggers].concat()
    }

    /// How often a failed step or call is tried again, 0 to 20. The server's default is 4.
    #[must_use]
    pub fn retries(self, retries: u8) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// Lets a call go on after a step, where the server has the checkpoint API.
    #[must_use]
    pub fn checkpointing(self, checkpointing: Checkpointing) -> Self {
        Self { checkpointing: Some(checkpointing), ..self }
    }

    /// Limits how many steps run at the same time. May be given twice; the stricter one holds.
    #[must_use]
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency.push(concurrency);
        self
    }

    /// Limits how fast runs start.
    #[must_use]
    pub fn throttle(self, throttle: Throttle) -> Self {
        Self { throttle: Some(throttle), ..self }
    }

    /// Limits how many events start a run.
    #[must_use]
    pub fn rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit: Some(rate_limit), ..self }
    }

    /// Waits for a pause between events.
    #[must_use]
    pub fn debounce(self, debounce: Debounce) -> Self {
        Self { debounce: Some(debounce), ..self }
    }

    /// Gathers events.
    #[must_use]
    pub fn batch(self, batch: Batch) -> Self {
        Self { batch: Some(batch), ..self }
    }

    /// Lets some runs overtake others. The expression gives the seconds by which a run counts as older than it
    /// is, -600 to 600 (P-087).
    ///
    /// ```
    /// # use inngest::Config;
    /// let config = Config::id("charge").priority("event.data.plan == 'pro' ? 60 : 0");
    /// ```
    #[must_use]
    pub fn priority(self, expression: impl Into<String>) -> Self {
        Self { priority: Some(Priority { run: expression.into() }), ..self }
    }

    /// Starts one run within 24 hours for each value of this expression (P-083).
    ///
    /// ```
    /// # use inngest::Config;
    /// let config = Config::id("charge").idempotency("event.data.orderId");
    /// ```
    #[must_use]
    pub fn idempotency(self, expression: impl Into<String>) -> Self {
        Self { idempotency: Some(expression.into()), ..self }
    }

    /// Ends runs under way when an event comes. May be given up to five times.
    #[must_use]
    pub fn cancel_on(mut self, cancel_on: CancelOn) -> Self {
        self.cancel_on.push(cancel_on);
        self
    }

    /// Limits how long a run waits and takes.
    #[must_use]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts: Some(timeouts), ..self }
    }

    /// Allows one run at a time.
    #[must_use]
    pub fn singleton(self, singleton: Singleton) -> Self {
        Self { singleton: Some(singleton), ..self }
    }

    /// Notes everything that is wrong with the settings.
    pub(crate) fn check(&self, mistakes: &mut Mistakes<'_>) {
        if self.name.as_deref() == Some("") {
            mistakes.add("name", "is empty; leave it out to use the id");
        }
        if let Some(retries) = self.retries.filter(|&retries| retries > MAX_RETRIES) {
            mistakes.add("retries", format_args!("is {retries}; at most {MAX_RETRIES}"));
        }
        mistakes.at_most("concurrency", self.concurrency.len(), MAX_CONCURRENCY);
        mistakes.at_most("cancel_on", self.cancel_on.len(), MAX_CANCEL);
        self.concurrency.iter().for_each(|setting| setting.check(mistakes));
        self.cancel_on.iter().for_each(|setting| setting.check(mistakes));
        self.throttle.iter().for_each(|setting| setting.check(mistakes));
        self.rate_limit.iter().for_each(|setting| setting.check(mistakes));
        self.debounce.iter().for_each(|setting| setting.check(mistakes));
        self.batch.iter().for_each(|setting| setting.check(mistakes));
        self.timeouts.iter().for_each(|setting| setting.check(mistakes));
        self.singleton.iter().for_each(|setting| setting.check(mistakes));
        mistakes.expression("priority", self.priority.as_ref().map(|priority| &*priority.run));
        mistakes.expression("idempotency", self.idempotency.as_deref());
        self.check_exclusions(mistakes);
    }

    /// Settings that contradict each other (P-081, P-083).
    fn check_exclusions(&self, mistakes: &mut Mistakes<'_>) {
        if self.batch.is_some() {
            let others = [
                ("cancel_on", !self.cancel_on.is_empty()),
                ("debounce", self.debounce.is_some()),
                ("singleton", self.singleton.is_some()),
                ("priority", self.priority.is_some()),
            ];
            for (other, _) in others.into_iter().filter(|(_, set)| *set) {
                mistakes
                    .add("batch", format_args!("excludes {other}, which looks at a single event"));
            }
        }
        if self.idempotency.is_some() && self.rate_limit.is_some() {
            let why = "the server makes a rate limit of 1 in 24h of it";
            mistakes.add("idempotency", format_args!("excludes rate_limit: {why}"));
        }
    }
}
