//! What starts a function.

use serde_json::{Map, Value};

use super::expression;
use crate::event::Event;

const MAX_TRIGGERS: usize = 10;
const MAX_EVENT_NAME: usize = 255;

/// An event that starts a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    event: String,
    /// The function whose failure is handled; `None` for every event of the name.
    failure_of: Option<String>,
}

impl Trigger {
    pub(crate) fn matches(&self, event: &Event) -> bool {
        let function = || event.data.get("function_id").and_then(Value::as_str);
        event.name == self.event
            && self.failure_of.as_deref().is_none_or(|wanted| function() == Some(wanted))
    }
}

/// Reads `triggers` (P-077) and notes what is wrong with them.
pub(super) fn parse_all(config: &Map<String, Value>, problems: &mut Vec<String>) -> Vec<Trigger> {
    let entries = match config.get("triggers") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            problems.push("`triggers` must be an array".to_owned());
            return Vec::new();
        }
    };
    if entries.len() > MAX_TRIGGERS {
        problems.push(format!("at most {MAX_TRIGGERS} triggers are allowed"));
    }
    let mut triggers = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match parse(entry) {
            Ok(trigger) if triggers.contains(&trigger) => {
                problems.push(format!("`triggers[{index}]` is a duplicate"));
            }
            Ok(trigger) => triggers.push(trigger),
            Err(problem) => problems.push(format!("`triggers[{index}]`: {problem}")),
        }
    }
    triggers
}

fn parse(entry: &Value) -> Result<Trigger, String> {
    let field = |name: &str| entry.get(name).filter(|value| !value.is_null());
    let event = match (field("event"), field("cron")) {
        (Some(_), Some(_)) => return Err("give either `event` or `cron`, not both".to_owned()),
        (None, Some(_)) => return Err("cron triggers are not supported by this dev server".into()),
        (None, None) => return Err("an `event` is required".to_owned()),
        (Some(event), None) => event.as_str().ok_or("`event` must be a string")?,
    };
    if event.is_empty() || event.len() > MAX_EVENT_NAME {
        return Err(format!("an event name has 1 to {MAX_EVENT_NAME} bytes"));
    }
    let failure_of = match field("expression") {
        None => None,
        Some(expression) => Some(expression.as_str().and_then(expression::failure_of).ok_or(
            "this dev server supports only expressions of the form \
                 `event.data.function_id == '<id>'`",
        )?),
    };
    Ok(Trigger { event: event.to_owned(), failure_of })
}
