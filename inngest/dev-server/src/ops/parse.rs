//! Reads ops.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::size::Parts;
use super::{Action, Op, Step, options};
use crate::{strict_json, typed};

/// Largest input and output of a step, with its wrapper (server 1.43).
const MAX_BYTES: usize = 4 * 1024 * 1024;
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
    /// Rejected too: it cannot be read.
    #[error("error reading generator opcode response: {0}")]
    Unreadable(String),
    /// Rejected too. The id is the step's.
    #[error("error validating generator opcode {0}: {OUTPUT_TOO_LARGE}")]
    OutputTooLarge(String),
    #[error("error validating generator opcode {0}: step input size is greater than the limit")]
    InputTooLarge(String),
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

fn unreadable(why: impl std::fmt::Display) -> InvalidOps {
    InvalidOps::Unreadable(why.to_string())
}

/// Reads ops as a checkpoint carries them.
pub(crate) fn parse_saved(ops: &[Box<RawValue>]) -> Result<Vec<Op>, InvalidOps> {
    ops.iter().map(|op| parse_op(op, false)).collect()
}

/// Reads the body of a 206: an array of ops, or a single one. An empty array is read as one op `None`.
pub(crate) fn parse(body: &[u8], no_retry: bool) -> Result<Vec<Op>, InvalidOps> {
    let body = body.trim_ascii();
    match body.first() {
        None => Err(InvalidOps::Rejected("no response data".to_owned())),
        Some(b'{') => Ok(vec![parse_op(raw(body)?, no_retry)?]),
        Some(b'[') => {
            let ops: Vec<&RawValue> = raw(body)?;
            if ops.is_empty() {
                let step = Step { hash: String::new(), name: String::new(), race: false };
                return Ok(vec![Op { step, action: Action::None }]);
            }
            if let Some(index) = ops.iter().position(|op| op.get() == "null") {
                let why =
                    format!("error validating generator opcode {index}: opcode cannot be null");
                return Err(InvalidOps::Rejected(why));
            }
            ops.into_iter().map(|op| parse_op(op, no_retry)).collect()
        }
        Some(_) => Err(unreadable("expected JSON object or array")),
    }
}

fn raw<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, InvalidOps> {
    serde_json::from_slice(body).map_err(unreadable)
}

fn parse_op(raw: &RawValue, no_retry: bool) -> Result<Op, InvalidOps> {
    // The real server takes it, and fails on the next call, which cannot carry it (P-063).
    let op = strict_json::parse(raw.get().as_bytes()).map_err(|problem| {
        InvalidOps::Violation(format!("error transforming request with JCS: {problem}"))
    })?;
    let wire: Wire = typed::object(&op, "").map_err(unreadable)?;
    let code = wire.op.unwrap_or_default();
    let code = OPCODES
        .split_whitespace()
        .find(|known| *known == code || known.to_lowercase() == code)
        .ok_or_else(|| unreadable(format!("{code} does not belong to Opcode values")))?;
    let hash = wire.id.unwrap_or_default();
    let plain_name = wire.name.unwrap_or_default();
    let name = wire.display_name.as_ref().unwrap_or(&plain_name);
    let opts = &wire.opts;
    let (input, output) = Parts::of(raw, code);
    if input > MAX_BYTES {
        return Err(InvalidOps::InputTooLarge(hash));
    }
    if output > MAX_BYTES {
        return Err(InvalidOps::OutputTooLarge(hash));
    }
    let action = match code {
        "StepRun" => Ok(Action::Ran { memo: json!({"data": wire.data}), bytes: output }),
        "Step" => Ok(Action::Ran { memo: wire.data, bytes: output }),
        // The header alone says whether an error may be retried; what the op says is overwritten (P-128).
        "StepError" => Ok(Action::Errored(error_object(&wire.error, no_retry)?)),
        "StepFailed" if wire.error.is_null() => Ok(Action::Failed(Value::Null)),
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
    if error.is_null() {
        let why = "OpcodeStepError received without Error field set";
        return Err(InvalidOps::Rejected(why.to_owned()));
    }
    let error = error.as_object().ok_or_else(|| {
        unreadable("a step error must carry an `error` object with `name` and `message`")
    })?;
    let mut kept = json!({"name": "", "message": ""});
    for field in ["name", "message", "stack", "data", "cause"] {
        let Some(value) = error.get(field) else { continue };
        if !matches!(field, "data" | "cause") && !value.is_string() && !value.is_null() {
            return Err(unreadable(format!("the error's `{field}` must be a string")));
        }
        kept[field] = value.clone();
    }
    if no_retry {
        kept["noRetry"] = json!(true);
    }
    Ok(kept)
}
