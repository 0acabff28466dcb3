//! The ops of a 206 reply (P-116, P-124..P-141).

use serde_json::{Map, Value, json};

use crate::strict_json;

/// Largest output of a step, with its wrapper (facts 7.5).
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;

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
    /// The step's hash.
    pub(crate) id: String,
    /// The display name, else the name.
    pub(crate) name: String,
    /// `opts.parallelMode` is `race` (P-164).
    pub(crate) race: bool,
    pub(crate) action: Action,
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
    None,
}

impl Op {
    /// Did the SDK run user code for this op?
    pub(crate) fn is_executed(&self) -> bool {
        matches!(self.action, Action::Ran { .. } | Action::Errored(_) | Action::Failed(_))
    }
}

/// Why a 206 reply is no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOps {
    /// The real server rejects the whole reply and tries again.
    #[error("{0}")]
    Rejected(String),
    /// The real server knows the op, this one does not: trying again would not help.
    #[error("op {0} is not supported by this dev server")]
    Unsupported(String),
}

fn rejected(why: impl Into<String>) -> InvalidOps {
    InvalidOps::Rejected(why.into())
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
        "None" => Action::None,
        unsupported => return Err(InvalidOps::Unsupported(unsupported.to_owned())),
    };
    let mode = opts.and_then(|opts| opts.get("parallelMode")).and_then(Value::as_str);
    Ok(Op { id: id.to_owned(), name: name.to_owned(), race: mode == Some("race"), action })
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
        return Err(rejected("step output size is greater than the limit"));
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
