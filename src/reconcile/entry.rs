//! One entry of amoCRM's events feed. What it may lack it lacks sometimes, so it is read by hand.

use std::collections::BTreeSet;

use functions::ports::{FeedWindow, LeadEvent, Merge};
use functions::webhook::Action;
use jiff::Timestamp;
use serde_json::Value;

/// What amoCRM calls it when several leads, contacts or companies become one.
pub(super) const MERGED: &str = "entity_merged";

/// What an entry is.
pub(super) enum Entry {
    /// An event that was asked for.
    Event(LeadEvent),
    /// Leads became one.
    Merge(Merge),
    /// Something else: amoCRM is known to ignore filters without an error.
    NotAskedFor,
    /// It does not say enough; this is missing.
    Odd(&'static str),
}

impl Entry {
    /// Reads an entry of a page that was asked for `kinds` in `window`.
    pub(super) fn read(entry: &Value, kinds: &[&str], window: &FeedWindow) -> Self {
        match read(entry, kinds, window) {
            Ok(Some(event)) if entry["type"] == MERGED => {
                let mut leads = BTreeSet::from([event.lead_id]);
                for values in ["value_before", "value_after"] {
                    collect_leads(&entry[values], &mut leads);
                }
                Self::Merge(Merge { event, leads })
            }
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
        "lead_deleted" => Action::Delete,
        "sale_field_changed" | "name_field_changed" | MERGED => Action::Update,
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

/// The leads that `values` names. What a merge carries is documented nowhere, so each `id` and `.._id` counts whose name or
/// type does not say that it is of something else. One too many does no harm: only a lead that amoCRM shows no more, and that
/// has a deal, is part of another one.
fn collect_leads(values: &Value, leads: &mut BTreeSet<u64>) {
    match values {
        Value::Array(values) => values.iter().for_each(|value| collect_leads(value, leads)),
        Value::Object(fields) => {
            let kind = ["type", "entity_type"].iter().find_map(|name| fields.get(*name)?.as_str());
            if kind.is_some_and(|kind| !kind.starts_with("lead")) {
                return;
            }
            for (name, value) in fields {
                let names_a_lead =
                    ["id", "lead_id", "entity_id", "leads", "ids"].contains(&name.as_str());
                match value {
                    Value::Array(_) | Value::Object(_) if !is_of_something_else(name) => {
                        collect_leads(value, leads);
                    }
                    value if names_a_lead => leads.extend(number(value)),
                    _ => {}
                }
            }
        }
        value => leads.extend(number(value)),
    }
}

fn is_of_something_else(name: &str) -> bool {
    let others = ["contact", "compan", "customer", "user", "status", "pipeline", "task", "_links"];
    others.iter().any(|other| name.contains(other))
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
