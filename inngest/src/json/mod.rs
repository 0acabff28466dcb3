//! JSON as the server can keep it.
//!
//! The server sends every saved value back in canonical form (RFC 8785). What does not survive that must not be
//! saved: integers beyond 2^53 come back altered (P-062), and a key that occurs twice kills every later call of
//! the run (P-063). Nor must what cannot be read back, or is too large. So such values are refused while they are
//! written.

mod decode;
mod depth;
mod key;
mod scan;
mod size;
mod strict;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::{Error, StepError};
pub(crate) use decode::{Mismatch, decode};
use depth::MAX_DEPTH;
pub(crate) use depth::{READABLE_DEPTH, depth, nests_deeper};
use size::counted_beyond;

/// The largest result of a step, as the server counts it, with the wrapper that it puts around it (T36).
const MAX_STEP_OUTPUT: usize = 4 * 1024 * 1024;
const WRAPPER: usize = r#"{"data":}"#.len();
/// The largest body of an answer, as it goes over the wire, and so of a function's result (T37).
pub(crate) const MAX_REPLY: usize = 8 * 1024 * 1024;
/// The largest event, as it goes over the wire (P-183).
const MAX_EVENT: usize = 3 * 1024 * 1024;

/// Why a value cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsavable {
    #[error("{0}")]
    Json(String),
    #[error("it nests deeper than {MAX_DEPTH} levels, and might not be read back")]
    TooDeep,
    #[error("it has {size} bytes of JSON; the server takes at most {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error(
        "it has {size} bytes of JSON, {counted} as the server counts them, to which `<`, `>` and `&` have six each; it \
         takes at most {limit}"
    )]
    TooLargeCounted { size: usize, counted: usize, limit: usize },
    #[error("it could not be read back: {0}")]
    Unreadable(String),
}

/// What such a refusal is called, for code that catches it.
const UNSAVABLE: &str = "UnsavableData";

impl Unsavable {
    /// The error of the step whose result it is. Trying again cannot help.
    pub(crate) fn of_result(&self, step: &str) -> Error {
        let text = format!("the result of step `{step}` cannot be saved: {self}");
        Error::from(text).no_retry().named(UNSAVABLE)
    }

    /// The error of the step that sends it, after middleware has seen it.
    pub(crate) fn of_sent(&self, what: impl fmt::Display) -> Error {
        Error::from(format!("{what} cannot be sent: {self}")).no_retry().named(UNSAVABLE)
    }

    /// The error of the step that sends it. It is the same in every call, so the server need not keep it.
    pub(crate) fn of_payload(&self, step: &str, what: &str) -> StepError {
        StepError::new(
            step,
            UNSAVABLE,
            format!("the {what} of step `{step}` cannot be sent: {self}"),
        )
    }
}

/// What a step returns, as JSON that can be read back.
pub(crate) fn step_result<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<Box<RawValue>, Unsavable> {
    let json = step_output(value)?;
    match decode::<T>(&json) {
        Ok(_) => Ok(json),
        Err(mismatch) => Err(Unsavable::Unreadable(mismatch.to_string())),
    }
}

/// What a step saves, as JSON.
pub(crate) fn step_output(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    counted(to_json(value)?, MAX_STEP_OUTPUT - WRAPPER)
}

/// What a function returns, as JSON.
pub(crate) fn function_result(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    sent(to_json(value)?, MAX_REPLY)
}

/// Data that goes to the server for others to read.
pub(crate) fn payload_json(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    counted(to_json(value)?, MAX_STEP_OUTPUT)
}

/// The same, inside the options of a step.
pub(crate) fn payload(value: &impl Serialize) -> Result<Value, Unsavable> {
    serde_json::from_str(payload_json(value)?.get()).map_err(|error| unsavable(&error))
}

/// The same, as text inside of which the JSON goes.
pub(crate) fn payload_text(value: &impl Serialize) -> Result<String, Unsavable> {
    let text = to_json(value)?.get().to_owned();
    counted(to_json(&text)?, MAX_STEP_OUTPUT)?;
    Ok(text)
}

/// An event that is sent.
pub(crate) fn event(event: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    sent(to_json(event)?, MAX_EVENT)
}

/// What an error carries besides its text, at most so many bytes as the server counts them.
pub(crate) fn error_part(part: &Value, limit: usize) -> Result<Box<RawValue>, Unsavable> {
    counted(to_json(part)?, limit)
}

/// JSON as the server gives it back: canonical (P-062). Otherwise code could see `1.0` now and `1` in the next call.
pub(crate) fn as_given_back(value: &Value) -> Option<String> {
    serde_json_canonicalizer::to_string(value).ok()
}

/// JSON of at most so many bytes as the server counts them.
fn counted(json: Box<RawValue>, limit: usize) -> Result<Box<RawValue>, Unsavable> {
    let json = sent(json, limit)?;
    let size = json.get().len();
    match counted_beyond(json.get(), limit) {
        Some(counted) => Err(Unsavable::TooLargeCounted { size, counted, limit }),
        None => Ok(json),
    }
}

/// JSON of at most so many bytes as it goes over the wire.
fn sent(json: Box<RawValue>, limit: usize) -> Result<Box<RawValue>, Unsavable> {
    match json.get().len() {
        size if size > limit => Err(Unsavable::TooLarge { size, limit }),
        _ => Ok(json),
    }
}

/// Writes and checks in one pass. Only what that pass cannot vouch for is read a second time: maps whose keys
/// are in no order, where a repeated one may hide, and text that was JSON before.
fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, Unsavable> {
    let noted = strict::Noted::default();
    let json = to_raw_value(&strict::Checked::new(value, &noted))
        .map_err(|error| if noted.too_deep() { Unsavable::TooDeep } else { unsavable(&error) })?;
    if noted.doubtful.get() {
        scan::scan(json.get()).map_err(|error| unsavable(&error))?;
        if depth(json.get()) > MAX_DEPTH {
            return Err(Unsavable::TooDeep);
        }
    }
    Ok(json)
}

fn unsavable(error: &serde_json::Error) -> Unsavable {
    match decode::without_position(error) {
        text if text == decode::TOO_DEEP => Unsavable::TooDeep,
        text => Unsavable::Json(text),
    }
}

#[cfg(test)]
mod tests;
