//! What a step waits for.

use std::sync::Arc;

use serde_json::Value;
use ulid::Ulid;

use crate::expression::Expression;
use crate::ops::Step;

/// A step that waits.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) run: Ulid,
    pub(crate) step: Step,
    pub(crate) expires_at: i64,
    /// The result when nothing comes in time.
    pub(crate) late: Arc<Value>,
    pub(crate) awaited: Awaited,
}

#[derive(Debug)]
pub(crate) enum Awaited {
    Event {
        name: String,
        condition: Option<Expression>,
    },
    Signal {
        name: String,
        replaces: bool,
    },
    /// The end of the run that the step invoked.
    Invocation,
    /// Only that its time is up: another run took its signal.
    Nothing,
}

impl Wait {
    pub(crate) fn is_for_signal(&self, signal: &str) -> bool {
        matches!(&self.awaited, Awaited::Signal { name, .. } if name == signal)
    }
}
