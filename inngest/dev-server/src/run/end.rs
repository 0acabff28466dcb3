//! The end of a run, and the events that tell of it (P-186).

use serde_json::{Value, json};

use super::memo::Memo;
use super::{Run, Status};
use crate::event::Event;
use crate::ids::Env;
use crate::observe::Observation;

const FAILED: &str = "inngest/function.failed";
const CANCELLED: &str = "inngest/function.cancelled";
const FINISHED: &str = "inngest/function.finished";
/// Limits of server 1.43 (facts 7.5).
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
    /// The SDK broke a rule of the protocol, or a limit: nothing that a retry could mend.
    pub(crate) fn violation(message: impl Into<String>) -> Self {
        Self::Failed(Failure::noticed(message, true))
    }

    /// A failure that the real server names, in the shape in which it tells of it.
    pub(crate) fn named(name: &str, message: &str, details: Option<String>) -> Self {
        let reason = format!("{name}: {message}");
        let mut error = json!({"error": reason, "name": name, "message": message});
        if let (Some(details), Value::Object(fields)) = (details, &mut error) {
            fields.insert("stack".to_owned(), json!(details));
        }
        let output = json!({"error": error});
        Self::Failed(Failure { output, reason, no_retry: true, retry_at: None })
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
    /// `error.error` of the failure event: the server's view of what went wrong.
    pub(crate) reason: String,
    pub(crate) no_retry: bool,
    pub(crate) retry_at: Option<i64>,
}

impl Failure {
    /// A failure that the server noticed, rather than one that the function reported.
    pub(crate) fn noticed(message: impl Into<String>, no_retry: bool) -> Self {
        let reason: String = message.into();
        let output = json!({"name": "Error", "message": reason});
        Self { output, reason, no_retry, retry_at: None }
    }
}

/// What the end of a run brings about.
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
    let (status, output, error) = match end {
        End::Completed(output) => (Status::Completed, output, None),
        End::Failed(failure) => {
            let error = error_object(&failure);
            (Status::Failed, failure.output, Some(error))
        }
        End::Cancelled => (Status::Cancelled, json!({}), None),
    };
    run.status = status;
    run.output = Some(output.clone());
    let mut for_parent = match &error {
        None => json!({"data": output}),
        Some(error) => json!({"error": error}),
    };
    let events = lifecycle_events(run, &output, error, env);
    if status == Status::Cancelled {
        // The event that tells of it, as it is [observed on 1.43].
        let finished = events.iter().find(|event| event.name == FINISHED);
        for_parent = json!({"data": finished.map(Event::for_call)});
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
    let mut error = json!({
        "error": failure.reason,
        "name": field("name").unwrap_or("Error"),
        "message": message,
    });
    if let (Some(stack), Value::Object(fields)) = (field("stack"), &mut error) {
        fields.insert("stack".to_owned(), json!(stack));
    }
    error
}

fn lifecycle_events(run: &Run, output: &Value, error: Option<Value>, env: &Env) -> Vec<Event> {
    // Otherwise a handler of these events would start itself for ever.
    if matches!(run.event().name.as_str(), FAILED | FINISHED) {
        return Vec::new();
    }
    let events: Vec<Value> = run.events().iter().map(|event| event.stored()).collect();
    let mut data = json!({
        "_inngest": {"status": run.status.as_str()},
        "event": run.event().for_call(),
        "events": events,
        "function_id": run.function.id,
        "run_id": run.id.to_string(),
    });
    if let Value::Object(fields) = &mut data {
        if run.status != Status::Cancelled {
            fields.insert("result".to_owned(), output.clone());
        }
        if let Some(error) = error {
            fields.insert("error".to_owned(), error);
        }
        let correlation = run.event().data.pointer("/_inngest/correlation_id");
        if let Some(correlation) = correlation {
            fields.insert("correlation_id".to_owned(), correlation.clone());
        }
    }
    let event = |name: &str, id: Option<String>| {
        let internal_id = env.ulid();
        Event {
            internal_id,
            id: id.unwrap_or_else(|| internal_id.to_string()),
            name: name.to_owned(),
            data: data.clone(),
            user: None,
            ts: env.now(),
            v: None,
            received_at: env.now(),
        }
    };
    // A cancelled run has no failure handler (P-187).
    let special = match run.status {
        Status::Failed => Some(FAILED),
        Status::Cancelled => Some(CANCELLED),
        Status::Running | Status::Completed => None,
    };
    // The run's id makes a failure handler run once for it.
    let special = special.map(|name| event(name, Some(run.id.to_string())));
    special.into_iter().chain([event(FINISHED, None)]).collect()
}
