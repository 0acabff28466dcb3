//! What starts a function (P-077).

use serde_json::{Map, Value};

use super::cron::Schedule;
use crate::event::Event;
use crate::expression::Expression;
use crate::typed;

const MAX_TRIGGERS: usize = 10;
const MAX_EVENT_NAME: usize = 255;

/// What starts a function.
#[derive(Debug, PartialEq)]
pub(crate) enum Trigger {
    Event { name: String, condition: Option<Expression> },
    Cron(Schedule),
}

/// A trigger as it is registered.
#[derive(serde::Deserialize)]
struct Entry {
    event: Option<String>,
    expression: Option<Expression>,
    cron: Option<Schedule>,
    jitter: Option<Value>,
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

    fn new(entry: Entry) -> Result<Self, String> {
        match (entry.event, entry.cron) {
            (Some(_), Some(_)) => Err("give either `event` or `cron`, not both".to_owned()),
            (None, None) => Err("an `event` or a `cron` is required".to_owned()),
            (None, Some(schedule)) => Ok(Self::Cron(schedule)),
            (Some(name), None) if (1..=MAX_EVENT_NAME).contains(&name.len()) => {
                Ok(Self::Event { name, condition: entry.expression })
            }
            _ => Err(format!("an event name has 1 to {MAX_EVENT_NAME} bytes")),
        }
    }
}

/// Reads `triggers` and notes what is wrong with them. Also returns whether a schedule has jitter, which has no effect here:
/// tests need exact times.
pub(super) fn read_all(
    config: &Map<String, Value>,
    problems: &mut Vec<String>,
) -> (Vec<Trigger>, bool) {
    let (mut triggers, mut has_jitter) = (Vec::new(), false);
    let entries = match config.get("triggers") {
        None | Some(Value::Null) => return (triggers, has_jitter),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            problems.push("`triggers` must be an array".to_owned());
            return (triggers, has_jitter);
        }
    };
    if entries.len() > MAX_TRIGGERS {
        problems.push(format!("at most {MAX_TRIGGERS} triggers are allowed"));
    }
    for (index, entry) in entries.iter().enumerate() {
        let entry: Result<Entry, String> = typed::object(entry, "");
        has_jitter |= entry.as_ref().is_ok_and(|entry| entry.jitter.is_some());
        match entry.and_then(Trigger::new) {
            Ok(trigger) if triggers.contains(&trigger) => {
                problems.push(format!("`triggers[{index}]` is a duplicate"));
            }
            Ok(trigger) => triggers.push(trigger),
            Err(problem) => problems.push(format!("`triggers[{index}]`: {problem}")),
        }
    }
    (triggers, has_jitter)
}
