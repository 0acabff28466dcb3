//! Function configurations: what the real server refuses is refused here, with the field named (P-075..P-090).

use serde_json::{Map, Value};
use url::Url;

use super::settings::Settings;
use super::trigger::{self, Trigger};
use crate::ids::named_uuid;

/// Retries when a function names none, and the most that it gets (P-079).
const DEFAULT_RETRIES: i64 = 4;
const MAX_RETRIES: i64 = 20;

/// A registered function.
#[derive(Debug)]
pub(crate) struct Function {
    /// The composite id, `<app>-<function>` (P-075).
    pub(crate) id: String,
    /// The internal id, as `ctx.fn_id` and the REST API show it.
    pub(crate) uuid: String,
    pub(crate) triggers: Vec<Trigger>,
    /// Where to call it, with `fnId` and `stepId`.
    pub(crate) url: Url,
    /// Retries plus one (P-079).
    pub(crate) max_attempts: u32,
    pub(crate) settings: Settings,
    /// Settings that this server accepts but does not enforce.
    pub(crate) not_enforced: Vec<&'static str>,
}

/// Reads one configuration, or lists everything that is wrong with it.
pub(super) fn read(config: &Value) -> Result<Function, Vec<String>> {
    let Some(config) = config.as_object() else {
        return Err(vec!["a function must be an object".to_owned()]);
    };
    let mut problems = Vec::new();
    let id = match config.get("id") {
        Some(Value::String(id)) => id.clone(),
        None | Some(Value::Null) => String::new(),
        Some(_) => {
            problems.push("`id` must be a string".to_owned());
            String::new()
        }
    };
    if config.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        problems.push("`name` is required".to_owned());
    }
    let (triggers, has_jitter) = trigger::read_all(config, &mut problems);
    let settings = Settings::read(config, &mut problems);
    let step = only_step(config).map_err(|problem| problems.push(problem)).ok();
    let Some((url, retries)) = step.filter(|_| problems.is_empty()) else { return Err(problems) };
    let not_enforced = [("priority", settings.has_priority), ("jitter", has_jitter)];
    Ok(Function {
        uuid: named_uuid("function", &id),
        id,
        triggers,
        url,
        max_attempts: u32::try_from(retries.min(MAX_RETRIES).saturating_add(1)).unwrap_or(0),
        settings,
        not_enforced: not_enforced.into_iter().filter(|(_, used)| *used).map(|(n, _)| n).collect(),
    })
}

/// The one entry of `steps` (P-078): its URL and its retries.
fn only_step(config: &Map<String, Value>) -> Result<(Url, i64), String> {
    let steps = config.get("steps").and_then(Value::as_object).filter(|steps| steps.len() == 1);
    let step = steps
        .and_then(|steps| steps.values().next())
        .ok_or("`steps` must hold exactly one step")?;
    if step.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("`steps.step.name` is required".to_owned());
    }
    let url = step
        .pointer("/runtime/url")
        .and_then(Value::as_str)
        .ok_or("`steps.step.runtime.url` must be a string")?;
    let url = Url::parse(url).map_err(|error| format!("`steps.step.runtime.url`: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "`steps.step.runtime.url`: this dev server calls http and https, not `{}`",
            url.scheme()
        ));
    }
    let retries = match step.pointer("/retries/attempts") {
        None | Some(Value::Null) => DEFAULT_RETRIES,
        Some(attempts) => {
            attempts.as_i64().ok_or("`steps.step.retries.attempts` must be an integer")?
        }
    };
    Ok((url, retries))
}
