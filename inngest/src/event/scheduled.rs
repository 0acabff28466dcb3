use serde::Deserialize;

use super::{EventMismatch, EventSet, Incoming, Trigger};

/// The event of a schedule, see [`Trigger::cron`]. Its id is a time, not a ULID (P-113).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Scheduled {
    /// The schedule; empty when the function was invoked.
    pub cron: String,
    /// When the run was due, ISO 8601.
    pub scheduled_at: Option<String>,
}

impl Scheduled {
    /// The event's name.
    pub const NAME: &'static str = "inngest/scheduled.timer";
}

impl EventSet for Scheduled {
    /// None: the schedule is the function's.
    fn triggers() -> Vec<Trigger> {
        Vec::new()
    }

    fn accepts(name: &str) -> bool {
        name == Self::NAME
    }

    fn decode(event: &Incoming<'_>) -> Result<Self, EventMismatch> {
        event.data()
    }
}
