//! Flow control and the other optional settings, checked as the real server checks them.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;
use crate::expression::Expression;

const MAX_CONCURRENCY: usize = 2;
const MAX_CANCEL: usize = 5;
const DAY: Duration = Duration::from_secs(86_400);

type Fields = Map<String, Value>;
type Problems = Vec<String>;
type Check = fn(&Value, &mut Problems);

/// What is accepted and has no effect here: nothing competes for a place in the queue of one process.
const NOT_ENFORCED: [&str; 1] = ["priority"];

/// Notes what is wrong and returns the names of the settings that are in use but not enforced.
pub(super) fn check(config: &Fields, problems: &mut Problems) -> Vec<&'static str> {
    const CHECKS: [(&str, Check); 10] = [
        ("concurrency", concurrency),
        ("throttle", throttle),
        ("rateLimit", rate_limit),
        ("debounce", debounce),
        ("batchEvents", batch),
        ("priority", priority),
        ("idempotency", idempotency),
        ("cancel", cancel),
        ("timeouts", timeouts),
        ("singleton", singleton),
    ];
    let mut in_use = Vec::new();
    for (name, check) in CHECKS {
        if let Some(setting) = config.get(name).filter(|setting| !setting.is_null()) {
            check(setting, problems);
            if is_in_use(setting) {
                in_use.push(name);
            }
        }
    }
    if in_use.contains(&"batchEvents") {
        // P-081: a batch belongs to no single event.
        for name in ["cancel", "debounce", "singleton", "priority"] {
            if in_use.contains(&name) {
                problems.push(format!("`batchEvents` and `{name}` exclude each other"));
            }
        }
    }
    in_use.retain(|name| NOT_ENFORCED.contains(name));
    in_use
}

/// `"cancel": []` and `"priority": {"run": null}` are as good as nothing.
fn is_in_use(setting: &Value) -> bool {
    match setting {
        Value::Array(entries) => !entries.is_empty(),
        Value::Object(fields) => fields.values().any(|field| !field.is_null()),
        _ => true,
    }
}

/// P-080.
fn concurrency(setting: &Value, problems: &mut Problems) {
    let limits = match setting {
        Value::Number(_) => return,
        Value::Array(limits) => limits.as_slice(),
        Value::Object(_) => std::slice::from_ref(setting),
        _ => return problems.push("`concurrency` must be a number, object or array".to_owned()),
    };
    if limits.len() > MAX_CONCURRENCY {
        problems.push(format!("`concurrency` takes at most {MAX_CONCURRENCY} limits"));
    }
    for limit in limits {
        if !limit.is_object() || limit.get("limit").is_some_and(|limit| !limit.is_i64()) {
            problems.push("`concurrency.limit` must be an integer".to_owned());
        }
        key(limit, "concurrency", problems);
        let keyed = limit.get("key").and_then(Value::as_str).is_some_and(|key| !key.is_empty());
        match limit.get("scope").map(Value::as_str) {
            None | Some(Some("fn")) => {}
            Some(Some("env" | "account")) if keyed => {}
            Some(Some("env" | "account")) => {
                problems.push("this `concurrency.scope` needs a `key`".to_owned());
            }
            Some(_) => problems.push(
                "`concurrency.scope` must be fn, env or account; leave it out otherwise".to_owned(),
            ),
        }
    }
}

/// P-082.
fn throttle(setting: &Value, problems: &mut Problems) {
    key(setting, "throttle", problems);
    period(setting, "throttle.period", Duration::ZERO, Duration::MAX, problems);
}

/// P-082.
fn rate_limit(setting: &Value, problems: &mut Problems) {
    key(setting, "rateLimit", problems);
    if setting.get("limit").and_then(Value::as_u64).is_none_or(|limit| limit == 0) {
        problems.push("`rateLimit.limit` must be greater than 0".to_owned());
    }
    period(setting, "rateLimit.period", Duration::ZERO, DAY, problems);
}

/// P-082.
fn debounce(setting: &Value, problems: &mut Problems) {
    key(setting, "debounce", problems);
    period(setting, "debounce.period", Duration::from_secs(1), 7 * DAY, problems);
    optional_duration(setting.get("timeout"), "debounce.timeout", problems);
}

/// P-081.
fn batch(setting: &Value, problems: &mut Problems) {
    key(setting, "batchEvents", problems);
    cel(setting.get("if"), "batchEvents.if", problems);
    if setting.get("maxSize").and_then(Value::as_u64).is_none_or(|size| size < 2) {
        problems.push("`batchEvents.maxSize` must be at least 2".to_owned());
    }
    if setting.get("timeout").and_then(Value::as_str).and_then(duration::parse_go).is_none() {
        problems.push("`batchEvents.timeout` must be a duration such as 5s, without days".into());
    }
}

/// P-087.
fn priority(setting: &Value, problems: &mut Problems) {
    cel(setting.get("run"), "priority.run", problems);
}

/// P-083.
fn idempotency(setting: &Value, problems: &mut Problems) {
    cel(Some(setting), "idempotency", problems);
}

/// P-084. The real server registers a bad `timeout` and then reprocesses every matching event for ever.
fn cancel(setting: &Value, problems: &mut Problems) {
    let Some(entries) = setting.as_array() else {
        return problems.push("`cancel` must be an array".to_owned());
    };
    if entries.len() > MAX_CANCEL {
        problems.push(format!("`cancel` takes at most {MAX_CANCEL} events"));
    }
    for entry in entries {
        if entry.get("event").and_then(Value::as_str).is_none_or(str::is_empty) {
            problems.push("`cancel.event` is required".to_owned());
        }
        cel(entry.get("if"), "cancel.if", problems);
        optional_duration(entry.get("timeout"), "cancel.timeout", problems);
    }
}

/// P-085. The real server registers a bad duration and then never calls the function.
fn timeouts(setting: &Value, problems: &mut Problems) {
    optional_duration(setting.get("start"), "timeouts.start", problems);
    optional_duration(setting.get("finish"), "timeouts.finish", problems);
}

/// P-086.
fn singleton(setting: &Value, problems: &mut Problems) {
    key(setting, "singleton", problems);
    let mode = setting.get("mode").filter(|mode| !mode.is_null());
    if mode.is_some_and(|mode| !matches!(mode.as_str(), Some("skip" | "cancel"))) {
        problems.push("`singleton.mode` must be skip or cancel".to_owned());
    }
}

fn key(setting: &Value, name: &str, problems: &mut Problems) {
    cel(setting.get("key"), &format!("{name}.key"), problems);
}

fn cel(value: Option<&Value>, name: &str, problems: &mut Problems) {
    let Some(value) = value.filter(|value| !value.is_null()) else { return };
    match value.as_str().map(Expression::parse) {
        Some(Ok(_)) => {}
        Some(Err(error)) => problems.push(format!("`{name}` is not a valid expression: {error}")),
        None => problems.push(format!("`{name}` must be an expression")),
    }
}

fn optional_duration(value: Option<&Value>, name: &str, problems: &mut Problems) {
    let Some(value) = value.filter(|value| !value.is_null()) else { return };
    if value.as_str().and_then(duration::parse).is_none() {
        problems.push(format!("`{name}` is not a duration; the real server would hang on it"));
    }
}

fn period(setting: &Value, name: &str, min: Duration, max: Duration, problems: &mut Problems) {
    match setting.get("period").and_then(Value::as_str).and_then(duration::parse) {
        Some(period) if (min..=max).contains(&period) => {}
        Some(_) => problems.push(format!("`{name}` is out of range")),
        None => problems.push(format!("`{name}` must be a duration such as 10s")),
    }
}
