//! The body of a call request (P-102). Only what steers the call is parsed; results and event data stay text.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::run_state::RunState;
use crate::engine::{QueueItem, Steps};

/// What steers a call, and what the server remembers of its run.
pub(super) struct CallRequest<'a> {
    pub(super) ctx: CallContext<'a>,
    pub(super) state: RunState<'a>,
}

/// Unknown keys are ignored, and older servers leave out most of these (P-103).
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    ctx: CallContext<'a>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    events: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    steps: Option<Steps<'a>>,
    #[serde(default)]
    use_api: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct CallContext<'a> {
    #[serde(borrow)]
    pub(super) run_id: Cow<'a, str>,
    #[serde(default)]
    pub(super) attempt: u32,
    #[serde(default)]
    pub(super) max_attempts: Option<u32>,
    #[serde(default)]
    pub(super) disable_immediate_execution: bool,
    #[serde(default)]
    use_api: Option<bool>,
    #[serde(borrow, default)]
    stack: Option<Stack<'a>>,
    #[serde(borrow, default)]
    fn_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    qi_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    generation_id: Option<i64>,
}

#[derive(Deserialize)]
struct Stack<'a> {
    #[serde(borrow, default)]
    stack: Option<Vec<&'a str>>,
}

impl<'a> CallRequest<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, String> {
        let unreadable = |error: &dyn Display| format!("the call cannot be read: {error}");
        // As a whole, not text by text.
        let body = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
        let body = serde_json::from_str(body).map_err(|error| unreadable(&error))?;
        let Body { ctx, event, events, steps, use_api } = body;
        let is_elsewhere = use_api == Some(true) || ctx.use_api == Some(true);
        let (events, steps) = (events.unwrap_or_default(), steps.unwrap_or_default());
        Ok(Self { state: RunState { event, events, steps, is_elsewhere }, ctx })
    }
}

impl<'a> CallContext<'a> {
    /// The hashes of the finished steps in the order in which they were saved (P-151).
    pub(super) fn stack(&self) -> impl Iterator<Item = &'a str> {
        let stack = self.stack.as_ref().and_then(|stack| stack.stack.as_deref());
        stack.unwrap_or_default().iter().copied()
    }

    /// What the checkpoint API knows this call by; `None` where steps must be reported the ordinary way: the
    /// server does not say, or plans steps itself, or counts the attempts of the first one (P-196).
    pub(super) fn queue_item(&self, request_started_at: u64) -> Option<QueueItem<'a>> {
        if self.disable_immediate_execution || self.attempt > 0 {
            return None;
        }
        let known = |id: &Option<Cow<'a, str>>| id.clone().filter(|id| !id.is_empty());
        Some(QueueItem {
            fn_id: known(&self.fn_id)?,
            qi_id: known(&self.qi_id)?,
            request_id: known(&self.request_id),
            generation_id: self.generation_id,
            request_started_at,
        })
    }
}
