//! JSON as the server can keep it.
//!
//! The server sends every saved value back in canonical form (RFC 8785). What does not survive that must not be
//! saved: integers beyond 2^53 come back altered (P-062), and a key that occurs twice kills every later call of
//! the run (P-063). So such values are refused while they are written.

mod decode;
mod depth;
mod key;
mod scan;
mod strict;

use std::cell::Cell;

use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use decode::{Mismatch, decode};
pub(crate) use depth::depth;

/// The largest step output, with the wrapper that the server puts around it (T36).
const MAX_STEP_OUTPUT: usize = 4 * 1024 * 1024;
const WRAPPER: usize = r#"{"data":}"#.len();
/// The largest body of an answer, and so of a function's result (T37).
const MAX_RESULT: usize = 8 * 1024 * 1024;

/// Why a value cannot be saved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsavable {
    #[error("{0}")]
    Json(String),
    #[error("it has {size} bytes of JSON; the server takes at most {limit}")]
    TooLarge { size: usize, limit: usize },
}

/// What a step returns, as JSON.
pub(crate) fn step_output(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    limited(to_json(value)?, MAX_STEP_OUTPUT - WRAPPER)
}

/// What a function returns, as JSON.
pub(crate) fn function_result(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    limited(to_json(value)?, MAX_RESULT)
}

/// Data that goes to the server inside the options of a step.
pub(crate) fn payload(value: &impl Serialize) -> Result<serde_json::Value, Unsavable> {
    let json = limited(to_json(value)?, MAX_STEP_OUTPUT)?;
    serde_json::from_str(json.get()).map_err(|error| Unsavable::Json(error.to_string()))
}

fn limited(json: Box<RawValue>, limit: usize) -> Result<Box<RawValue>, Unsavable> {
    match json.get().len() {
        size if size > limit => Err(Unsavable::TooLarge { size, limit }),
        _ => Ok(json),
    }
}

/// Writes and checks in one pass. Only what that pass cannot vouch for is read a second time: maps whose keys
/// are in no order, where a repeated one may hide, and text that was JSON before.
fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    let doubtful = Cell::new(false);
    let mut json = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::new(&mut json);
    strict::Checked::new(value, &doubtful)
        .serialize(&mut serializer)
        .map_err(|error| without_position(&error))?;
    let json = String::from_utf8(json).map_err(|_| Unsavable::Json("it is no UTF-8".to_owned()))?;
    if doubtful.get() {
        scan::scan(&json).map_err(|error| without_position(&error))?;
    }
    RawValue::from_string(json).map_err(|error| without_position(&error))
}

/// The position is one in a text that is not shown.
fn without_position(error: &serde_json::Error) -> Unsavable {
    let text = error.to_string();
    Unsavable::Json(text.split(" at line ").next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
