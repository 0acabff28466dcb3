//! What a call came to, as middleware lets it leave. The results of steps have passed it when their code ended.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::engine::{Executed, Found, Outcome, Work};
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
            for one in &mut found {
                match asked(one, hooks) {
                    Ok(()) => {}
                    Err(Refusal::OfHook(error)) => return refused(error),
                    Err(Refusal::OfData(error)) => {
                        return Outcome::Executed(Executed::unsendable(one, error));
                    }
                }
            }
            Outcome::Found(found)
        }
        other => other,
    }
}

fn result(output: Box<RawValue>, hooks: Hooks<'_>) -> Result<Box<RawValue>> {
    let changed = hooks.outgoing(PayloadKind::Output, &output)?;
    changed.map_or(Ok(output), |changed| write_output(&changed))
}

/// Why a step cannot be sent to the server.
enum Refusal {
    /// Middleware does not let it pass, which ends the call.
    OfHook(Error),
    /// What middleware has made of it cannot be sent. Its step fails, and the others are found again.
    OfData(Error),
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::OfHook(error.into())
    }
}

/// What goes to the server in the options of a step, for others to read.
fn asked(found: &mut Found, hooks: Hooks<'_>) -> Result<(), Refusal> {
    let step = &*found.step.id;
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
fn object(
    kind: PayloadKind<'_>,
    value: Option<&mut Value>,
    hooks: Hooks<'_>,
) -> Result<(), Refusal> {
    let Some(value) = value else { return Ok(()) };
    let Some(changed) = hooks.outgoing(kind, &to_raw_value(value)?)? else { return Ok(()) };
    match json::payload(&changed) {
        Ok(object @ Value::Object(_)) => *value = object,
        Ok(_) => {
            let text = format!("{kind} cannot be sent: middleware has made it no JSON object");
            return Err(Refusal::OfHook(Error::from(text).no_retry()));
        }
        Err(reason) => return Err(Refusal::OfData(reason.of_sent(kind))),
    }
    Ok(())
}

/// The body is JSON as text: the server puts what is none into quotes (P-136).
fn fetch_body(
    kind: PayloadKind<'_>,
    opts: &mut Map<String, Value>,
    hooks: Hooks<'_>,
) -> Result<(), Refusal> {
    let body = opts.get("body").and_then(Value::as_str).unwrap_or("null");
    let Some(changed) = hooks.outgoing(kind, &RawValue::from_string(body.to_owned())?)? else {
        return Ok(());
    };
    let changed =
        json::payload_text(&changed).map_err(|reason| Refusal::OfData(reason.of_sent(kind)))?;
    if changed == "null" {
        opts.remove("body");
    } else {
        opts.insert("body".to_owned(), Value::String(changed));
    }
    Ok(())
}
