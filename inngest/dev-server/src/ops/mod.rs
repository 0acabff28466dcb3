//! The ops of a 206 reply (P-116, P-124..P-141).

mod options;
pub(crate) mod parse;
pub(crate) mod size;

use serde_json::Value;

pub(crate) use self::options::{Fetch, Invoke, WaitForEvent, WaitForSignal};

/// What the SDK reports.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Op {
    pub(crate) step: Step,
    pub(crate) action: Action,
}

/// The step that an op or a queue item is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) hash: String,
    /// The display name, else the name.
    pub(crate) name: String,
    /// `opts.parallelMode` is `race` (P-164).
    pub(crate) race: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// A step ran: what the state keeps, and its size there.
    Ran {
        memo: Value,
        bytes: usize,
    },
    /// A step failed and may be tried again.
    Errored(Value),
    /// A step failed, without another retry.
    Failed(Value),
    Planned,
    Sleep(String),
    WaitForEvent(WaitForEvent),
    WaitForSignal(WaitForSignal),
    Invoke(Invoke),
    Fetch(Fetch),
    /// The function returned, within a call that saved steps by itself (P-137).
    Complete(Value),
    /// The SDK wants to be called again (P-138).
    Discover,
    /// An op that this server does not carry out, and that no result depends on.
    Ignored(&'static str),
    None,
}

impl Op {
    /// The SDK ran user code for this op.
    pub(crate) fn is_executed(&self) -> bool {
        matches!(self.action, Action::Ran { .. } | Action::Errored(_) | Action::Failed(_))
    }

    /// The result comes later, from the server.
    pub(crate) fn is_plan(&self) -> bool {
        matches!(
            self.action,
            Action::Planned
                | Action::Sleep(_)
                | Action::WaitForEvent(_)
                | Action::WaitForSignal(_)
                | Action::Invoke(_)
                | Action::Fetch(_)
        )
    }
}
