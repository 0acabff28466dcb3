//! Events that have not started a run yet.

use std::collections::HashMap;
use std::sync::Arc;

use super::pace::Pace;
use crate::event::Event;
use crate::queue::Group;
use crate::registry::Function;

/// Events that have not started a run yet.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) pace: Pace,
    /// When a function was last started for an event id, by function id and event id.
    pub(super) started: HashMap<(String, String), i64>,
    pub(super) held: HashMap<Group, Held>,
    /// Tells a batch from its successors.
    pub(super) count: u64,
}

/// A batch that fills, or the last event of a series.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) function: Arc<Function>,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) since: i64,
}
