//! The body of a call request (P-102). Only what steers the call is parsed; results and event data stay text.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::QueueItem;

/// Unknown keys are ignored, and older servers leave out most of these (P-103).
#[derive(Deserialize)]
pub(super) struct CallRequest<'a> {
    #[serde(borrow)]
    pub(super) ctx: CallContext<'a>,
    #[serde(borrow)]
    pub(super) event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) events: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) steps: Option<HashMap<&'a str, &'a RawValue>>,
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
    pub(super) stack: Option<Stack<'a>>,
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
pub(super) struct Stack<'a> {
    #[serde(borrow, default)]
    pub(super) stack: Option<Vec<&'a str>>,
}

impl CallRequest<'_> {
    /// The state is too large for the request: it must be fetched (P-110).
    pub(super) fn state_is_elsewhere(&self) -> bool {
        self.use_api == Some(true) || self.ctx.use_api == Some(true)
    }
}

impl<'a> CallContext<'a> {
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
