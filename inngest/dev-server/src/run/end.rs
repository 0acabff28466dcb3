//! The end of a run, and the events that report it (P-186).

use serde_json::{Value, json};

use super::memo::Memo;
use super::{Run, Status};
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;

const FAILED: &str = "inngest/function.failed";
const CANCELLED: &str = "inngest/function.cancelled";
const FINISHED: &str = "inngest/function.finished";
/// Limits of server 1.43.
pub(crate) const MAX_STEPS: usize = 1000;
pub(crate) const MAX_STATE_BYTES: usize = 32 * 1024 * 1024;

/// How a run ends.
#[derive(Debug)]
pub(crate) enum End {
    Completed(Value),
    Failed(Failure),
    Cancelled,
}

impl End {
    /// The SDK broke a rule of the protocol, or a limit: a retry would not help.
    pub(crate) fn violation(message: impl Into<String>) -> Self {
        Self::Failed(Failure::noticed(message, true))
    }

    /// A failure that the real server has a name for.
    pub(crate) fn named(name: &str, message: &str, details: Option<&str>) -> Self {
        Self::Failed(Failure::named(name, message, details))
    }

    pub(crate) fn too_many_steps() -> Self {
        let message = format!("The function run exceeded the step limit of {MAX_STEPS} steps.");
        Self::named("InngestErrFunctionOverflowed", &message, None)
    }
}

#[derive(Debug)]
pub(crate) struct Failure {
    /// What becomes the run's output when no attempt is left.
    pub(crate) output: Value,
    /// `error.error` of the failure event: the server's reason.
    pub(crate) reason: String,
    pub(crate) no_retry: bool,
    pub(crate) retry_at: Option<i64>,
}

impl Failure {
    /// A failure that the server found, not one that the function reported.
    pub(crate) fn noticed(message: impl Into<String>, no_retry: bool) -> Self {
        let reason: String = message.into();
        let output = as_text(&reason, "Error", &reason, None);
        Self { output, reason, no_retry, retry_at: None }
    }

    /// The same, where the real server has a name for it.
    pub(crate) fn named(name: &str, message: &str, details: Option<&str>) -> Self {
        let output = as_text(&format!("{name}: {message}"), name, message, details);
        Self { output, reason: name.to_owned(), no_retry: true, retry_at: None }
    }
}

/// The server reports what it found as a text of JSON, in which Go has escaped some characters.
fn as_text(error: &str, name: &str, message: &str, stack: Option<&str>) -> Value {
    #[derive(serde::Serialize)]
    struct Error<'a> {
        error: &'a str,
        name: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        stack: Option<&'a str>,
    }
    let error = serde_json::to_string(&Error { error, name, message, stack }).unwrap_or_default();
    let error = error.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    Value::String(format!("{{\"error\":{error}}}"))
}

/// What follows from the end of a run.
pub(crate) struct Finished {
    pub(crate) observation: Observation,
    /// Events to take in.
    pub(crate) events: Vec<Event>,
    /// The result of the step that invoked the run (P-108).
    pub(crate) for_parent: Value,
}

/// Ends a run.
pub(crate) fn finish(run: &mut Run, end: End, env: &Env) -> Finished {
    let (run_id, function_id) = run.ids();
    run.ended_at = Some(env.now());
    // The state of a run that is over is gone (P-110: 410).
    run.memo = Memo::default();
    let mut data = json!({"function_id": function_id, "run_id": run_id});
    let (status, output, special, mut for_parent) = match end {
        End::Completed(output) => {
            let for_parent = json!({"data": output});
            (Status::Completed, output, None, for_parent)
        }
        End::Failed(failure) => {
            let error = error_object(&failure);
            data["error"] = error.clone();
            (Status::Failed, failure.output, Some(FAILED), json!({"error": error}))
        }
        // A cancelled run has no failure handler (P-187).
        End::Cancelled => (Status::Cancelled, json!({}), Some(CANCELLED), Value::Null),
    };
    run.status = status;
    run.output = Some(output.clone());
    if status != Status::Cancelled {
        data["result"] = output.clone();
    }
    let events = lifecycle_events(run, data, special, env);
    if status == Status::Cancelled {
        // The event that reports it [observed on 1.43].
        for_parent = json!({"data": events.last().map(Event::for_call)});
    }
    let observation = match status {
        Status::Failed => Observation::RunFailed { run_id, function_id, output },
        Status::Cancelled => Observation::RunCancelled { run_id, function_id },
        Status::Running | Status::Completed => {
            Observation::RunCompleted { run_id, function_id, output }
        }
    };
    Finished { observation, events, for_parent }
}

/// The output where it is an error object, else one around it, with the server's reason.
fn error_object(failure: &Failure) -> Value {
    if let Some(error) = failure.output.get("error").filter(|error| error.is_object()) {
        return error.clone();
    }
    let field = |name: &str| failure.output.get(name).and_then(Value::as_str);
    let message = field("message").or(failure.output.as_str()).unwrap_or(&failure.reason);
    let name = field("name").unwrap_or("Error");
    let mut error = json!({"error": failure.reason, "name": name, "message": message});
    if let Some(stack) = field("stack") {
        error["stack"] = json!(stack);
    }
    if let Some(cause) = failure.output.get("cause") {
        error["cause"] = cause.clone();
    }
    error
}

/// The event that is special to the end, and the one that every end has, with `data` and what all of them carry.
fn lifecycle_events(run: &Run, mut data: Value, special: Option<&str>, env: &Env) -> Vec<Event> {
    // Otherwise a handler of these events would start itself without end.
    if matches!(run.event().name.as_str(), FAILED | FINISHED) {
        return Vec::new();
    }
    data["_inngest"] = json!({"status": run.status});
    data["event"] = run.event().for_call();
    data["events"] = run.events().iter().map(|event| event.stored()).collect();
    if let Some(correlation) = run.event().data.pointer("/_inngest/correlation_id") {
        data["correlation_id"] = correlation.clone();
    }
    let event = |name: &str| Event::internal(name, data.clone(), env.ulid(), env.now());
    // The run's id makes a failure handler run once for it.
    let special = special.map(|name| Event { id: run.id.to_string(), ..event(name) });
    special.into_iter().chain([event(FINISHED)]).collect()
}
