//! One entry of amoCRM's events feed. What it may lack it lacks sometimes, so it is read by hand.

use functions::ports::{FeedWindow, LeadEvent};
use functions::webhook::Action;
use jiff::Timestamp;
use serde_json::Value;

/// What an entry is.
pub(super) enum Entry {
    /// An event that was asked for.
    Event(LeadEvent),
    /// Something else: amoCRM is known to ignore filters without an error.
    NotAskedFor,
    /// It does not say enough; this is missing.
    Odd(&'static str),
}

impl Entry {
    /// Reads an entry of a page that was asked for `kinds` in `window`.
    pub(super) fn read(entry: &Value, kinds: &[&str], window: &FeedWindow) -> Self {
        match read(entry, kinds, window) {
            Ok(Some(event)) => Self::Event(event),
            Ok(None) => Self::NotAskedFor,
            Err(what) => Self::Odd(what),
        }
    }
}

fn read(
    entry: &Value,
    kinds: &[&str],
    window: &FeedWindow,
) -> Result<Option<LeadEvent>, &'static str> {
    let kind = entry["type"].as_str().ok_or("it has no type")?;
    if !kinds.contains(&kind) {
        return Ok(None);
    }
    let action = match kind {
        "lead_status_changed" => Action::Status,
        "lead_added" => Action::Add,
        "lead_restored" => Action::Restore,
        _ => return Ok(None),
    };
    if entry["entity_type"].as_str().is_some_and(|kind| kind != "lead") {
        return Ok(None);
    }
    let at = number(&entry["created_at"]).and_then(|at| i64::try_from(at).ok());
    let at = at.ok_or("it has no time")?;
    if !(window.from.as_second()..=window.to.as_second()).contains(&at) {
        return Ok(None);
    }
    let status = &entry["value_after"][0]["lead_status"];
    Ok(Some(LeadEvent {
        id: text(&entry["id"]).ok_or("it has no id")?,
        action,
        lead_id: number(&entry["entity_id"]).ok_or("it names no lead")?,
        account_id: number(&entry["account_id"]),
        at: Timestamp::from_second(at).map_err(|_| "its time is out of range")?,
        stage: number(&status["pipeline_id"]).zip(number(&status["id"])),
    }))
}

/// A positive number, or a text of digits.
pub(super) fn number(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|number| *number > 0)
}

/// A text that says something, or a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
