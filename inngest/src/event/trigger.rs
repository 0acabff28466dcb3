//! What starts a function.

use std::time::Duration;

use serde::Serialize;

use super::{EventData, cron};
use crate::check::Mistakes;
use crate::duration::{serialize_wire_option, wire_duration};

/// One event or one schedule that starts a function (P-077).
///
/// A function needs none of its own while [`Function::Event`](crate::Function::Event) says it all. It names them in its
/// [`Config`](crate::Config::trigger) to add a condition or a schedule.
///
/// ```
/// # use std::time::Duration;
/// use inngest::{Config, EventData, Trigger};
///
/// #[derive(serde::Deserialize)]
/// struct SignedUp { plan: String }
/// impl EventData for SignedUp { const NAME: &'static str = "user/signed.up"; }
///
/// let config = Config::id("welcome")
///     .trigger(Trigger::event::<SignedUp>().matching("event.data.plan == 'pro'"))
///     .trigger(Trigger::cron("0 12 * * 5").time_zone("Europe/Paris").jitter(Duration::from_secs(60)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trigger(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Kind {
    Event {
        event: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expression: Option<String>,
    },
    Cron {
        cron: Schedule,
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "serialize_wire_option")]
        jitter: Option<Duration>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Schedule {
    fields: String,
    time_zone: Option<String>,
}

/// In front of the fields, as the server wants the zone.
impl Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.time_zone {
            Some(zone) => to.collect_str(&format_args!("TZ={zone} {}", self.fields)),
            None => to.serialize_str(&self.fields),
        }
    }
}

const MAX_TRIGGERS: usize = 10;
const MAX_EVENT_NAME: usize = 255;

impl Trigger {
    /// Every event of this type.
    pub fn event<E: EventData>() -> Self {
        Self::named(E::NAME)
    }

    /// Every event of this name.
    pub fn named(event: impl Into<String>) -> Self {
        Self(Kind::Event { event: event.into(), expression: None })
    }

    /// A schedule of five fields: minute, hour, day of the month, month, day of the week. In UTC unless a
    /// [`time_zone`](Self::time_zone) is set.
    pub fn cron(fields: impl Into<String>) -> Self {
        let cron = Schedule { fields: fields.into(), time_zone: None };
        Self(Kind::Cron { cron, jitter: None })
    }

    /// Only events for which this holds. Without a meaning for a schedule, where the endpoint refuses to be built.
    #[must_use]
    pub fn matching(self, condition: impl Into<String>) -> Self {
        match self.0 {
            Kind::Event { event, .. } => {
                Self(Kind::Event { event, expression: Some(condition.into()) })
            }
            // Kept where the check finds it.
            Kind::Cron { cron, jitter } => {
                let fields = format!("{} if {}", cron.fields, condition.into());
                Self(Kind::Cron { cron: Schedule { fields, ..cron }, jitter })
            }
        }
    }

    /// The zone of a schedule, such as `Europe/Paris`.
    #[must_use]
    pub fn time_zone(self, zone: impl Into<String>) -> Self {
        let time_zone = Some(zone.into());
        match self.0 {
            Kind::Cron { cron, jitter } => {
                Self(Kind::Cron { cron: Schedule { time_zone, ..cron }, jitter })
            }
            event @ Kind::Event { .. } => Self(event),
        }
    }

    /// Delays each start of a schedule by a random time up to this.
    #[must_use]
    pub fn jitter(self, up_to: Duration) -> Self {
        match self.0 {
            Kind::Cron { cron, .. } => Self(Kind::Cron { cron, jitter: Some(up_to) }),
            event @ Kind::Event { .. } => Self(event),
        }
    }

    pub(crate) fn is_schedule(&self) -> bool {
        matches!(self.0, Kind::Cron { .. })
    }

    pub(crate) fn event_name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Event { event, .. } => Some(event),
            Kind::Cron { .. } => None,
        }
    }

    /// Notes what is wrong with the triggers of a function.
    pub(crate) fn check_all(triggers: &[Self], mistakes: &mut Mistakes<'_>) {
        mistakes.at_most("triggers", triggers.len(), MAX_TRIGGERS);
        for (index, trigger) in triggers.iter().enumerate() {
            if triggers.iter().take(index).any(|earlier| earlier == trigger) {
                mistakes.add("triggers", format_args!("name {} twice", trigger.describe()));
            }
            trigger.check(mistakes);
        }
    }

    fn describe(&self) -> String {
        match &self.0 {
            Kind::Event { event, .. } => format!("event `{event}`"),
            Kind::Cron { cron, .. } => format!("schedule `{}`", cron.fields),
        }
    }

    fn check(&self, mistakes: &mut Mistakes<'_>) {
        match &self.0 {
            Kind::Event { event, expression } => {
                if event.is_empty() || event.len() > MAX_EVENT_NAME {
                    let problem = format!(
                        "has {} characters; 1 to {MAX_EVENT_NAME} are allowed",
                        event.len()
                    );
                    mistakes.add("the name of its event", problem);
                }
                mistakes.expression("trigger.matching", expression.as_deref());
            }
            Kind::Cron { cron, jitter } => {
                if let Some(flaw) = cron::flaw(&cron.fields) {
                    mistakes.add("schedule", format_args!("`{}`: {flaw}", cron.fields));
                }
                let zone = cron.time_zone.as_deref();
                if let Some(zone) = zone.filter(|zone| !is_zone(zone)) {
                    mistakes.add("time_zone", format_args!("`{zone}` is no name of a zone"));
                }
                if let Some(jitter) = jitter.filter(Duration::is_zero) {
                    mistakes.add("jitter", format_args!("is {}", wire_duration(jitter)));
                }
            }
        }
    }
}

/// Whether this could be a name of the time zone database: the machine's own list may be another one.
fn is_zone(zone: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    zone.starts_with(|c: char| c.is_ascii_alphabetic()) && zone.chars().all(fits)
}
