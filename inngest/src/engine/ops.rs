//! What a 206 reply is made of: one operation for each step (P-124).

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::slots::{Executed, Found, Work};
use super::step_id::StepId;
use crate::wire_error::{WireError, cut};

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
    error: Option<WireError<'a>>,
    userland: Userland<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Timing>,
}

/// What the server needs to know to carry a step out.
#[derive(Serialize)]
struct Opts<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    label: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Value>,
    #[serde(flatten)]
    asked: Option<&'a Map<String, Value>>,
    #[serde(rename = "parallelMode", skip_serializing_if = "Option::is_none")]
    parallel_mode: Option<&'static str>,
}

impl<'a> Opts<'a> {
    /// The server reads the mode from the plan and from the result (P-164).
    fn new(label: Option<&'static str>, race: bool) -> Self {
        let parallel_mode = race.then_some("race");
        Self { label, input: None, asked: None, parallel_mode }
    }

    fn of_code(label: Option<&'static str>, input: Option<&'a Value>, race: bool) -> Self {
        Self { input, ..Self::new(label, race) }
    }

    /// No `opts` at all rather than empty ones: for a plain result they must be absent (P-207).
    fn unless_empty(self) -> Option<Self> {
        let Self { label, input, asked, parallel_mode } = &self;
        let empty =
            label.is_none() && input.is_none() && asked.is_none() && parallel_mode.is_none();
        (!empty).then_some(self)
    }
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
    pub(crate) fn found(found: &'a Found) -> Self {
        let (op, opts) = match &found.work {
            Work::Run { label, input } => {
                ("StepPlanned", Opts::of_code(Some(label), input.as_deref(), found.race))
            }
            Work::Ask { op, opts } => {
                (*op, Opts { asked: Some(opts), ..Opts::new(None, found.race) })
            }
        };
        Self { opts: opts.unless_empty(), ..Self::new(op, &found.step) }
    }

    /// A step that has run.
    ///
    /// A failure is always a `StepError`, whether an error is final is said by a header (P-128). `StepFailed`
    /// would come to the same as a final `StepError` (P-129), but older servers and the checkpoint API do not
    /// take it, and on the last attempt the server turns a `StepError` into the same saved error by itself.
    pub(crate) fn executed(executed: &'a Executed) -> Self {
        let label = Some(executed.label).filter(|&label| label != Work::STEP_RUN);
        let (op, data, error) = match &executed.result {
            Ok(data) => ("StepRun", Some(&**data), None),
            Err(error) => ("StepError", None, Some(WireError::of(error))),
        };
        Self {
            opts: Opts::of_code(label, executed.input.as_deref(), executed.race).unless_empty(),
            data,
            error,
            timing: Some(Timing { a: executed.started_ns, b: executed.took_ns }),
            ..Self::new(op, &executed.step)
        }
    }
}

/// The body that lists the existing steps in place of the one that the server asked for (P-161).
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
    const LONGEST: usize = 64 * 1024;

    pub(crate) fn new(requested_step: &'a str, found: &'a [StepId]) -> Self {
        let names: Vec<_> = found.iter().take(Self::SHOWN).map(|step| &*step.id).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let names = cut(&names, Self::LONGEST);
        let message =
            format!("Could not find step \"{requested_step}\" to run. Found new steps: {names}");
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
