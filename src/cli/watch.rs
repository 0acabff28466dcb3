//! Tells a person what the dev server sees, one line for each step.

use std::time::Duration;

use inngest_dev_server::Observation;
use serde_json::Value;

/// One line for what matters to a person; nothing for the rest.
pub(super) fn line(observation: &Observation) -> Option<String> {
    Some(match observation {
        Observation::AppSynced { app, functions, .. } => {
            format!("registered   {app}: {}", functions.join(", "))
        }
        // Of a run's end its own line tells more.
        Observation::EventReceived { name, .. } if name.starts_with("inngest/") => return None,
        Observation::EventReceived { name, data, .. } => format!("event        {name} {data}"),
        Observation::RunStarted { run_id, function_id, .. } => {
            format!("run started  {function_id} ({run_id})")
        }
        Observation::StepFinished { function_id, name, result: Ok(data), .. } => {
            format!("  step done  {function_id} / {name} -> {data}")
        }
        Observation::StepFinished { function_id, name, result: Err(error), .. } => {
            format!("  step FAILED  {function_id} / {name}: {}", message(error))
        }
        Observation::RetryScheduled { function_id, step, attempt, after, error, .. } => format!(
            "  retry      {function_id}{} in {}, attempt {}: {}",
            step.as_deref().map(|step| format!(" / {step}")).unwrap_or_default(),
            seconds(*after),
            attempt + 1,
            message(error)
        ),
        Observation::RunCompleted { function_id, output, .. } => {
            format!("run done     {function_id} -> {output}")
        }
        Observation::RunFailed { function_id, output, .. } => {
            format!("run FAILED   {function_id}: {}", message(output))
        }
        _ => return None,
    })
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// The message of an error object, or the whole of it. What the server found by itself is a text of JSON.
pub(super) fn message(error: &Value) -> String {
    let found = error.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let found = found.as_ref().and_then(|found| found.pointer("/error/message"));
    let message = found.or(error.get("message")).and_then(Value::as_str);
    message.map_or_else(|| error.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::message;

    #[test]
    fn an_error_is_shown_by_its_message() {
        assert_eq!(message(&json!({ "name": "E", "message": "no" })), "no");
        let found = r#"{"error":{"error":"E: gone","name":"E","message":"gone"}}"#;
        assert_eq!(message(&json!(found)), "gone");
        assert_eq!(message(&json!("text")), r#""text""#);
        assert_eq!(message(&json!({ "a": 1 })), r#"{"a":1}"#);
    }
}
