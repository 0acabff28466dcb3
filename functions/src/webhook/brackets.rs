//! The bracket grammar: `{entity}[{action}][{n}][{field}]...`, read as a flat list.
//!
//! No nested map is built. In real bodies one path stands as a value and as the start of a longer path, and
//! levels are missing or doubled, so only the few paths that matter are picked out, each by its exact form.

use serde::{Deserialize, Serialize};

/// What happened to a lead, in amoCRM's words. Only these make a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The lead entered a pipeline stage.
    Status,
    /// The lead was created.
    Add,
    /// The lead was taken out of the bin.
    Restore,
}

/// Where a key points.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// `account[id]`
    AccountId,
    /// `account[subdomain]`
    Subdomain,
    /// `leads[action][n]...`, under an action that makes a deal.
    Lead(Action, Index<'a>, LeadField),
    /// Any other path in brackets: another entity, another action.
    Elsewhere,
}

/// A field of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeadField {
    Id,
    PipelineId,
    StatusId,
    OldPipelineId,
    OldStatusId,
    AccountId,
    /// A field that does not matter here. It still shows that the entry exists.
    Other,
}

/// The `n` of an entry, sorted by value; and a second one where the level is doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Index<'a> {
    number: u64,
    text: &'a str,
    inner: &'a str,
}

impl<'a> Index<'a> {
    fn new(text: &'a str) -> Self {
        Self { number: text.parse().unwrap_or(u64::MAX), text, inner: "" }
    }

    /// The entry as a person would look for it in the body.
    pub(super) fn entry(&self, action: Action) -> String {
        let action = match action {
            Action::Status => "status",
            Action::Add => "add",
            Action::Restore => "restore",
        };
        format!("leads[{action}][{:.20}]", self.text)
    }
}

/// The place that `key` points to; `None` when it has no brackets.
pub(super) fn place(key: &str) -> Option<Place<'_>> {
    let path = segments(key)?;
    Some(match path.as_slice() {
        ["account", "id", rest @ ..] if is_value(rest) => Place::AccountId,
        ["account", "subdomain", rest @ ..] if is_value(rest) => Place::Subdomain,
        ["leads", action, rest @ ..] => match (action_of(action), rest) {
            (Some(action), [index, field @ ..]) => lead(action, index, field),
            _ => Place::Elsewhere,
        },
        _ => Place::Elsewhere,
    })
}

fn lead<'a>(action: Action, index: &'a str, path: &[&'a str]) -> Place<'a> {
    let (index, field) = match path {
        // The level of the index is absent, the entry stands alone: `leads[status][id]`.
        _ if !is_index(index) => (Index::new("0"), field_of(index, path)),
        // The level of the index is doubled: `leads[status][0][0][id]`.
        [inner, field, rest @ ..] if is_index(inner) => {
            (Index { inner, ..Index::new(index) }, field_of(field, rest))
        }
        [field, rest @ ..] => (Index::new(index), field_of(field, rest)),
        [] => (Index::new(index), LeadField::Other),
    };
    Place::Lead(action, index, field)
}

fn field_of(name: &str, rest: &[&str]) -> LeadField {
    match name {
        _ if !is_value(rest) => LeadField::Other,
        "id" => LeadField::Id,
        "pipeline_id" => LeadField::PipelineId,
        "status_id" => LeadField::StatusId,
        "old_pipeline_id" => LeadField::OldPipelineId,
        "old_status_id" => LeadField::OldStatusId,
        "account_id" => LeadField::AccountId,
        _ => LeadField::Other,
    }
}

fn action_of(name: &str) -> Option<Action> {
    match name {
        "status" => Some(Action::Status),
        "add" => Some(Action::Add),
        "restore" => Some(Action::Restore),
        _ => None,
    }
}

/// What may follow a field's name when it has a single value: nothing, `[]` or `[0]`.
fn is_value(rest: &[&str]) -> bool {
    matches!(rest, [] | ["" | "0"])
}

/// A number, or nothing: `[]` stands for "the next".
fn is_index(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `leads[status][0][id]` as `leads`, `status`, `0`, `id`. `None` when there are no well-formed brackets.
fn segments(key: &str) -> Option<Vec<&str>> {
    let (root, mut rest) = key.split_at(key.find('[')?);
    let mut path = vec![root];
    while !rest.is_empty() {
        let (segment, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(segment);
        rest = after;
    }
    Some(path)
}
