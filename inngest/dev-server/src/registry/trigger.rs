//! What starts a function.

use serde_json::{Map, Value};

use super::cron::Schedule;
use crate::event::Event;
use crate::expression::Expression;

const MAX_TRIGGERS: usize = 10;
const MAX_EVENT_NAME: usize = 255;

/// What starts a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trigger {
    Event {
        name: String,
        /// What the event must be like.
        condition: Option<Expression>,
    },
    Cron(Schedule),
}

impl Trigger {
    pub(crate) fn matches(&self, event: &Event) -> bool {
        match self {
            Self::Event { name, condition } => {
                let holds = |condition: &Expression| condition.matches(&event.for_call(), None);
                event.name == *name && condition.as_ref().is_none_or(holds)
            }
            Self::Cron(_) => false,
        }
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

/// Is a schedule to be spread? It is not: tests want their moments exact.
pub(super) fn has_jitter(config: &Map<String, Value>) -> bool {
    let triggers = config.get("triggers").and_then(Value::as_array).into_iter().flatten();
    triggers.filter_map(|entry| entry.get("jitter")).any(|jitter| !jitter.is_null())
}

fn parse(entry: &Value) -> Result<Trigger, String> {
    let field = |name: &str| entry.get(name).filter(|value| !value.is_null());
    let event = match (field("event"), field("cron")) {
        (Some(_), Some(_)) => return Err("give either `event` or `cron`, not both".to_owned()),
        (None, Some(cron)) => {
            let cron = cron.as_str().ok_or("`cron` must be a string")?;
            return Schedule::parse(cron)
                .map(Trigger::Cron)
                .map_err(|why| format!("`cron`: {why}"));
        }
        (None, None) => return Err("an `event` or a `cron` is required".to_owned()),
        (Some(event), None) => event.as_str().ok_or("`event` must be a string")?,
    };
    if event.is_empty() || event.len() > MAX_EVENT_NAME {
        return Err(format!("an event name has 1 to {MAX_EVENT_NAME} bytes"));
    }
    let condition = match field("expression") {
        None => None,
        Some(text) => {
            let text = text.as_str().ok_or("`expression` must be a string")?;
            Some(Expression::parse(text).map_err(|error| format!("`expression`: {error}"))?)
        }
    };
    Ok(Trigger::Event { name: event.to_owned(), condition })
}
