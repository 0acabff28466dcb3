//! A deal on its way to Inngest: reported, sent, due again.

use jiff::Timestamp;

use super::key::Dedupe;
use super::schedule::Schedule;

/// When two deals are the same one, and when one is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// When two deals are the same one.
    pub dedupe: Dedupe,
    /// When one is sent again.
    pub schedule: Schedule,
    /// What is done where a lead has changed after its record was made.
    pub on_change: OnChange,
}

/// What is done where a lead has changed after its record was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnChange {
    /// It is listed.
    #[default]
    Report,
    /// What amoCRM has is written into the record.
    Update,
    /// Nothing.
    Ignore,
}

impl Default for Rules {
    fn default() -> Self {
        let (schedule, on_change) = Default::default();
        Self { dedupe: Dedupe::Lead, schedule, on_change }
    }
}

/// A deal that was reported: the event that stands for it, now and when it is sent again.
pub(crate) struct Report<'a> {
    pub(crate) key: &'a str,
    pub(crate) lead_id: Option<i64>,
    pub(crate) event_name: &'a str,
    pub(crate) payload: &'a str,
    /// Whether it says which stage the lead has entered. Without it the lead is read to see whether it makes a deal.
    pub(crate) names_stage: bool,
    pub(crate) source: Source,
}

/// How a deal came to be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A webhook.
    Webhook,
    /// Reconciliation, of what happened then. The webhook may still come.
    Feed(Timestamp),
}

/// Whether what deals wait for is still away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It is.
    Away,
    /// It is there, and was there before. A deal that has failed because of it nevertheless waits for its time.
    Gone,
    /// It is back, or is seen for the first time: what failed because of it need not wait.
    JustGone,
}

/// A deal that is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) key: String,
    pub(crate) lead_id: Option<i64>,
    pub(crate) event_name: String,
    pub(crate) payload: String,
}
