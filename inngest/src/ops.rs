//! What a 206 reply is made of: one operation for each step (P-124).

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Error;
use crate::engine::{Executed, Kind, StepId};

/// One operation. `data` is always written, also as `null` (P-207).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Op<'a> {
    op: &'static str,
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    opts: Option<Opts<'a>>,
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OpError>,
    userland: Userland<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Timing>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Opts<'a> {
    Planned { r#type: &'static str },
    Sleep { duration: &'a str },
}

#[derive(Serialize)]
struct OpError {
    name: String,
    message: String,
}

#[derive(Serialize)]
struct Userland<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "is_first")]
    index: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_first(index: &u32) -> bool {
    *index == 0
}

/// When a step ran: start and length in nanoseconds.
#[derive(Serialize)]
struct Timing {
    a: u64,
    b: u64,
}

impl<'a> Op<'a> {
    fn new(op: &'static str, step: &'a StepId) -> Self {
        Self {
            op,
            id: &step.hash,
            name: &step.id,
            display_name: &step.id,
            opts: None,
            data: None,
            error: None,
            userland: Userland { id: &step.id, index: step.index },
            timing: None,
        }
    }

    /// A step that waits for the server's decision.
    pub(crate) fn found(step: &'a StepId, kind: &'a Kind) -> Self {
        match kind {
            Kind::Run => {
                let opts = Some(Opts::Planned { r#type: "step.run" });
                Self { opts, ..Self::new("StepPlanned", step) }
            }
            Kind::Sleep { duration } => {
                Self { opts: Some(Opts::Sleep { duration }), ..Self::new("Sleep", step) }
            }
        }
    }

    /// A step that has run. Whether an error is final is said by a header, not here (P-128).
    pub(crate) fn executed(executed: &'a Executed) -> Self {
        let timing = Some(Timing { a: executed.started_ns, b: executed.took_ns });
        match &executed.result {
            Ok(data) => Self { data: Some(data), timing, ..Self::new("StepRun", &executed.step) },
            Err(error) => {
                let error = Some(OpError::from(error));
                Self { error, timing, ..Self::new("StepError", &executed.step) }
            }
        }
    }
}

impl From<&Error> for OpError {
    fn from(error: &Error) -> Self {
        Self { name: error.name().into_owned(), message: error.to_string() }
    }
}

/// The body that tells the server's users which steps there are instead of the one it asked for (P-161).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepNotFound<'a> {
    name: &'static str,
    message: String,
    error: String,
    requested_step: &'a str,
    found_steps: Vec<FoundStep<'a>>,
    total_found_steps: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundStep<'a> {
    id: &'a str,
    name: &'a str,
    display_name: &'a str,
}

impl<'a> StepNotFound<'a> {
    const SHOWN: usize = 25;

    pub(crate) fn new(requested_step: &'a str, found: &'a [StepId]) -> Self {
        let names: Vec<_> = found.iter().take(Self::SHOWN).map(|step| step.id.as_str()).collect();
        let message = format!(
            "Could not find step \"{requested_step}\" to run. Found new steps: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
        let found_steps = found.iter().take(Self::SHOWN).map(|step| FoundStep {
            id: &step.hash,
            name: &step.id,
            display_name: &step.id,
        });
        Self {
            name: "Error",
            error: message.clone(),
            message,
            requested_step,
            found_steps: found_steps.collect(),
            total_found_steps: found.len(),
        }
    }
}
