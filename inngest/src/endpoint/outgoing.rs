//! What a call came to, as middleware lets it leave. The results of steps have passed it when their code ended.

use std::fmt::Display;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::engine::{Found, Outcome, Work};
use crate::function::write_output;
use crate::middleware::{Hooks, PayloadKind};
use crate::{Error, Result, json};

/// The outcome after middleware has seen what leaves with it.
pub(super) fn outgoing(outcome: Outcome, hooks: Hooks<'_>) -> Outcome {
    if hooks.is_empty() {
        return outcome;
    }
    let refused = |error: Error| Outcome::Finished(Err(hooks.outgoing_error(None, error)));
    match outcome {
        Outcome::Finished(Ok(output)) => match result(output, hooks) {
            Ok(output) => Outcome::Finished(Ok(output)),
            Err(error) => refused(error),
        },
        Outcome::Finished(Err(error)) => refused(error),
        Outcome::Panicked(message) => refused(Error::from(message)),
        Outcome::Found(mut found) => {
            match found.iter_mut().try_for_each(|found| asked(found, hooks)) {
                Ok(()) => Outcome::Found(found),
                Err(error) => refused(error),
            }
        }
        other => other,
    }
}

fn result(output: Box<RawValue>, hooks: Hooks<'_>) -> Result<Box<RawValue>> {
    let changed = hooks.outgoing(PayloadKind::Output, &output)?;
    changed.map_or(Ok(output), |changed| write_output(&changed))
}

/// What goes to the server in the options of a step, for others to read.
fn asked(found: &mut Found, hooks: Hooks<'_>) -> Result<()> {
    let step = found.step.id.as_str();
    let Work::Ask { op, opts } = &mut found.work else { return Ok(()) };
    let target = opts.get("function_id").or_else(|| opts.get("url")).and_then(Value::as_str);
    let target = target.unwrap_or_default().to_owned();
    match *op {
        Work::INVOKE => {
            let kind = PayloadKind::Invoke { step, function_id: &target };
            object(kind, opts.get_mut("payload").and_then(|all| all.get_mut("data")), hooks)
        }
        Work::INFER => {
            object(PayloadKind::Infer { step, url: &target }, opts.get_mut("body"), hooks)
        }
        Work::FETCH => fetch_body(PayloadKind::Fetch { step, url: &target }, opts, hooks),
        _ => Ok(()),
    }
}

/// The server never ends an operation where such a value is no object (P-004).
fn object(kind: PayloadKind<'_>, value: Option<&mut Value>, hooks: Hooks<'_>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let Some(changed) = hooks.outgoing(kind, &to_raw_value(value)?)? else { return Ok(()) };
    match json::payload(&changed) {
        Ok(object @ Value::Object(_)) => *value = object,
        Ok(_) => return Err(unsendable(kind, &"middleware has made it no JSON object")),
        Err(reason) => return Err(unsendable(kind, &reason)),
    }
    Ok(())
}

/// The body is JSON as text: the server puts what is none into quotes (P-136).
fn fetch_body(
    kind: PayloadKind<'_>,
    opts: &mut Map<String, Value>,
    hooks: Hooks<'_>,
) -> Result<()> {
    let body = opts.get("body").and_then(Value::as_str).unwrap_or("null");
    let Some(changed) = hooks.outgoing(kind, &RawValue::from_string(body.to_owned())?)? else {
        return Ok(());
    };
    let changed = json::step_output(&changed).map_err(|reason| unsendable(kind, &reason))?;
    if changed.get() == "null" {
        opts.remove("body");
    } else {
        opts.insert("body".to_owned(), Value::from(changed.get()));
    }
    Ok(())
}

fn unsendable(kind: PayloadKind<'_>, reason: &impl Display) -> Error {
    Error::from(format!("{kind} cannot be sent: {reason}")).no_retry()
}
