//! The body of a call request (P-102). Only what steers the call is parsed; results and event data stay text.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::QueueItem;
use crate::function::RawEvent;

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

#[derive(Deserialize)]
struct WireEvent<'a> {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    ts: Option<serde_json::Number>,
}

/// How deep an event may nest; as deep as `serde_json` follows typed data. Text that nobody looks at would
/// otherwise pass at any depth, and fail in whoever reads it next.
const MAX_DEPTH: usize = 128;

pub(crate) fn event(raw: &RawValue) -> Result<RawEvent<'_>, String> {
    if depth(raw.get()) > MAX_DEPTH {
        return Err(format!("the event nests deeper than {MAX_DEPTH} levels"));
    }
    let event: WireEvent<'_> = serde_json::from_str(raw.get())
        .map_err(|error| format!("the event cannot be read: {error}"))?;
    Ok(RawEvent {
        id: event.id,
        name: event.name,
        data: event.data,
        ts: event.ts.and_then(|ts| ts.as_i64()),
    })
}

/// The depth of valid JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => {
                        bytes.next();
                    }
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert_eq!(depth(r#"{"a":[1,{"b":"[[[\"[["}]}"#), 3);
        assert_eq!(depth("5"), 0);
        assert_eq!(depth(r#""\\""#), 0);
    }
}
