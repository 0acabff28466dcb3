//! The ops of a 206 reply (P-116, P-124..P-141).

mod asynchronous;

use serde_json::{Map, Value, json};

pub(crate) use self::asynchronous::{Fetch, Invoke, WaitForEvent, WaitForSignal};

use crate::strict_json;

/// Largest output of a step, with its wrapper (P-144).
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const OUTPUT_TOO_LARGE: &str = "step output size is greater than the limit";

/// Opcodes of server 1.43. Names match exactly or in all-lowercase (P-125).
const OPCODES: [&str; 20] = [
    "None",
    "Step",
    "StepRun",
    "StepError",
    "StepFailed",
    "StepPlanned",
    "Sleep",
    "WaitForEvent",
    "InvokeFunction",
    "AIGateway",
    "AiGateway",
    "Gateway",
    "WaitForSignal",
    "RunComplete",
    "SyncRunComplete",
    "DiscoveryRequest",
    "DeferAdd",
    "DeferAbort",
    "DeferCancel",
    "Metadata",
];

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
    /// A step ran; `memo` is what the state keeps.
    Ran {
        memo: Value,
        bytes: usize,
    },
    /// A step failed and may be tried again.
    Errored(Value),
    /// A step failed for good.
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
    /// Did the SDK run user code for this op?
    pub(crate) fn is_executed(&self) -> bool {
        matches!(self.action, Action::Ran { .. } | Action::Errored(_) | Action::Failed(_))
    }

    /// Does its result come later, from the server?
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

/// Why a 206 reply is no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOps {
    /// The real server rejects the whole reply and tries again.
    #[error("{0}")]
    Rejected(String),
    /// As [`InvalidOps::Rejected`].
    #[error("{OUTPUT_TOO_LARGE}")]
    OutputTooLarge(String),
    /// The real server knows the op, this one does not: trying again would not help.
    #[error("op {0} is not supported by this dev server")]
    Unsupported(String),
    /// The real server takes the op, and then hangs or crashes on it.
    #[error("{0}")]
    Violation(String),
}

fn rejected(why: impl Into<String>) -> InvalidOps {
    InvalidOps::Rejected(why.into())
}

/// Reads ops as a checkpoint carries them.
pub(crate) fn parse_saved(ops: &[Value]) -> Result<Vec<Op>, InvalidOps> {
    ops.iter().map(|op| parse_op(op, false)).collect()
}

/// Reads the body of a 206: an array of ops, or a single one. An empty array is one op that says nothing.
pub(crate) fn parse(body: &[u8], no_retry: bool) -> Result<Vec<Op>, InvalidOps> {
    let body = strict_json::parse(body)
        .map_err(|error| rejected(format!("error reading generator opcode response: {error}")))?;
    match body {
        Value::Array(ops) if ops.is_empty() => {
            parse_op(&json!({"op": "None"}), false).map(|op| vec![op])
        }
        Value::Array(ops) => ops.iter().map(|op| parse_op(op, no_retry)).collect(),
        op @ Value::Object(_) => parse_op(&op, no_retry).map(|op| vec![op]),
        _ => {
            Err(rejected("error reading generator opcode response: expected JSON object or array"))
        }
    }
}

fn parse_op(op: &Value, no_retry: bool) -> Result<Op, InvalidOps> {
    let op = op.as_object().ok_or_else(|| rejected("an opcode must be an object"))?;
    let code = text(op, "op")?.unwrap_or_default();
    let code = OPCODES
        .into_iter()
        .find(|known| *known == code || known.to_lowercase() == code)
        .ok_or_else(|| rejected(format!("{code} does not belong to Opcode values")))?;
    let id = text(op, "id")?.unwrap_or_default();
    let plain_name = text(op, "name")?.unwrap_or_default();
    let name = text(op, "displayName")?.unwrap_or(plain_name);
    let opts = op.get("opts").filter(|opts| !opts.is_null());
    let action = match code {
        "StepRun" | "Step" => ran(op)?,
        // The header alone says whether an error may be retried; what the op says is overwritten (P-128).
        "StepError" => Action::Errored(error_object(op, Some(no_retry))?),
        "StepFailed" => Action::Failed(error_object(op, None)?),
        "StepPlanned" => Action::Planned,
        "Sleep" => {
            let duration = opts.and_then(|opts| opts.get("duration")).and_then(Value::as_str);
            Action::Sleep(duration.unwrap_or(plain_name).to_owned())
        }
        "WaitForEvent" => Action::WaitForEvent(asynchronous::wait_for_event(opts, plain_name)?),
        "WaitForSignal" => Action::WaitForSignal(asynchronous::wait_for_signal(opts, name)?),
        "InvokeFunction" => Action::Invoke(asynchronous::invoke(opts, name)?),
        "Gateway" => Action::Fetch(asynchronous::gateway(opts, name)?),
        "AIGateway" | "AiGateway" => Action::Fetch(asynchronous::ai_gateway(opts, name)?),
        "RunComplete" => Action::Complete(op.get("data").cloned().unwrap_or_default()),
        "DiscoveryRequest" => Action::Discover,
        "DeferAdd" => Action::Ignored("DeferAdd"),
        "DeferAbort" => Action::Ignored("DeferAbort"),
        "None" => Action::None,
        unsupported => return Err(InvalidOps::Unsupported(unsupported.to_owned())),
    };
    let mode = opts.and_then(|opts| opts.get("parallelMode")).and_then(Value::as_str);
    let step = Step { hash: id.to_owned(), name: name.to_owned(), race: mode == Some("race") };
    Ok(Op { step, action })
}

fn text<'a>(op: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, InvalidOps> {
    match op.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(rejected(format!("opcode field `{field}` must be a string"))),
    }
}

fn ran(op: &Map<String, Value>) -> Result<Action, InvalidOps> {
    let memo = json!({"data": op.get("data").unwrap_or(&Value::Null)});
    let bytes = memo.to_string().len();
    if bytes > MAX_OUTPUT_BYTES {
        let id = op.get("id").and_then(Value::as_str).unwrap_or_default();
        return Err(InvalidOps::OutputTooLarge(id.to_owned()));
    }
    Ok(Action::Ran { memo, bytes })
}

/// The error of a failed step.
fn error_object(op: &Map<String, Value>, no_retry: Option<bool>) -> Result<Value, InvalidOps> {
    let error = op.get("error").and_then(Value::as_object).ok_or_else(|| {
        rejected("a step error must carry an `error` object with `name` and `message`")
    })?;
    for field in ["name", "message", "stack"] {
        text(error, field)?;
    }
    let mut kept: Map<String, Value> = ["name", "message", "stack", "data", "cause"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), error.get(field)?.clone())))
        .collect();
    if no_retry.unwrap_or(error.get("noRetry") == Some(&json!(true))) {
        kept.insert("noRetry".to_owned(), json!(true));
    }
    Ok(Value::Object(kept))
}
