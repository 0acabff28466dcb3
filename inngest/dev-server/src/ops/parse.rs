//! Reads ops.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Action, Op, Step, options};
use crate::{strict_json, typed};

/// Largest output of a step, with its wrapper (server 1.43).
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const OUTPUT_TOO_LARGE: &str = "step output size is greater than the limit";

/// Opcodes of server 1.43. Names match exactly or in all-lowercase (P-125).
const OPCODES: &str = "None Step StepRun StepError StepFailed StepPlanned Sleep WaitForEvent InvokeFunction AIGateway \
    AiGateway Gateway WaitForSignal RunComplete SyncRunComplete DiscoveryRequest DeferAdd DeferAbort DeferCancel Metadata";

/// Why a 206 reply cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidOps {
    /// The real server rejects the whole reply and tries again.
    #[error("{0}")]
    Rejected(String),
    /// Rejected too. The id is the step's.
    #[error("{OUTPUT_TOO_LARGE}")]
    OutputTooLarge(String),
    /// The real server knows the op, this one does not: trying again would not help.
    #[error("op {0} is not supported by this dev server")]
    Unsupported(String),
    /// The real server takes the op, and then hangs or crashes on it.
    #[error("{0}")]
    Violation(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    op: Option<String>,
    id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
    opts: Value,
    data: Value,
    error: Value,
}

fn rejected(why: impl Into<String>) -> InvalidOps {
    InvalidOps::Rejected(why.into())
}

/// Reads ops as a checkpoint carries them.
pub(crate) fn parse_saved(ops: &[Value]) -> Result<Vec<Op>, InvalidOps> {
    ops.iter().map(|op| parse_op(op, false)).collect()
}

/// Reads the body of a 206: an array of ops, or a single one. An empty array is read as one op `None`.
pub(crate) fn parse(body: &[u8], no_retry: bool) -> Result<Vec<Op>, InvalidOps> {
    let unreadable =
        |why: &str| rejected(format!("error reading generator opcode response: {why}"));
    let body = strict_json::parse(body).map_err(|error| unreadable(&error.to_string()))?;
    let ops = match body {
        Value::Array(ops) if ops.is_empty() => vec![json!({"op": "None"})],
        Value::Array(ops) => ops,
        op @ Value::Object(_) => vec![op],
        _ => return Err(unreadable("expected JSON object or array")),
    };
    ops.iter().map(|op| parse_op(op, no_retry)).collect()
}

fn parse_op(op: &Value, no_retry: bool) -> Result<Op, InvalidOps> {
    let wire: Wire =
        typed::object(op, "").map_err(|problem| rejected(format!("opcode: {problem}")))?;
    let code = wire.op.unwrap_or_default();
    let code = OPCODES
        .split_whitespace()
        .find(|known| *known == code || known.to_lowercase() == code)
        .ok_or_else(|| rejected(format!("{code} does not belong to Opcode values")))?;
    let hash = wire.id.unwrap_or_default();
    let plain_name = wire.name.unwrap_or_default();
    let name = wire.display_name.as_ref().unwrap_or(&plain_name);
    let opts = &wire.opts;
    let action = match code {
        "StepRun" | "Step" => {
            let memo = json!({"data": wire.data});
            if memo.to_string().len() > MAX_OUTPUT_BYTES {
                return Err(InvalidOps::OutputTooLarge(hash));
            }
            Ok(Action::Ran(memo))
        }
        // The header alone says whether an error may be retried; what the op says is overwritten (P-128).
        "StepError" => Ok(Action::Errored(error_object(&wire.error, no_retry)?)),
        "StepFailed" => {
            let no_retry = wire.error.get("noRetry") == Some(&json!(true));
            Ok(Action::Failed(error_object(&wire.error, no_retry)?))
        }
        "StepPlanned" => Ok(Action::Planned),
        "Sleep" => {
            let duration = opts.get("duration").and_then(Value::as_str);
            Ok(Action::Sleep(duration.unwrap_or(&plain_name).to_owned()))
        }
        "WaitForEvent" => options::wait_for_event(opts, &plain_name).map(Action::WaitForEvent),
        "WaitForSignal" => options::wait_for_signal(opts, name).map(Action::WaitForSignal),
        "InvokeFunction" => options::invoke(opts, name).map(Action::Invoke),
        "Gateway" => options::gateway(opts, name).map(Action::Fetch),
        "AIGateway" | "AiGateway" => options::ai_gateway(opts, name).map(Action::Fetch),
        "RunComplete" => Ok(Action::Complete(wire.data)),
        "DiscoveryRequest" => Ok(Action::Discover),
        "DeferAdd" | "DeferAbort" => Ok(Action::Ignored(code)),
        "None" => Ok(Action::None),
        unsupported => return Err(InvalidOps::Unsupported(unsupported.to_owned())),
    };
    let race = opts.get("parallelMode").and_then(Value::as_str) == Some("race");
    let step = Step { hash, name: name.clone(), race };
    Ok(Op { step, action: action.map_err(InvalidOps::Violation)? })
}

/// The error of a failed step: the fields that the state keeps.
fn error_object(error: &Value, no_retry: bool) -> Result<Value, InvalidOps> {
    let error = error.as_object().ok_or_else(|| {
        rejected("a step error must carry an `error` object with `name` and `message`")
    })?;
    let mut kept = Map::new();
    for field in ["name", "message", "stack", "data", "cause"] {
        let Some(value) = error.get(field) else { continue };
        if !matches!(field, "data" | "cause") && !value.is_string() && !value.is_null() {
            return Err(rejected(format!("the error's `{field}` must be a string")));
        }
        kept.insert(field.to_owned(), value.clone());
    }
    if no_retry {
        kept.insert("noRetry".to_owned(), json!(true));
    }
    Ok(Value::Object(kept))
}
