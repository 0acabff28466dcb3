//! The bracket grammar: `{entity}[{action}][{n}][{field}]...`, read as a flat list.
//!
//! No nested map is built. In real bodies one path stands as a value and as the start of a longer path, and
//! levels are missing or doubled, so only the few paths that matter are picked out, each by its exact form.

use serde::{Deserialize, Serialize};

/// The levels of a path that are told apart: more than any path has that matters.
const DEPTH: usize = 8;

/// What happened to a lead, in amoCRM's words. `Update` and `Delete` make no deal: they concern leads that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The lead entered a pipeline stage.
    Status,
    /// The lead was created.
    Add,
    /// The lead was taken out of the bin.
    Restore,
    /// The lead was accepted from "unsorted". The webhook does not say into which stage.
    Accept,
    /// Something in the lead was changed.
    Update,
    /// The lead was deleted, or became a part of another one.
    Delete,
}

impl Action {
    /// Whether a lead to which this happened makes a deal.
    pub fn makes_deal(self) -> bool {
        !matches!(self, Self::Update | Self::Delete)
    }
}

/// Where a key points.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `account[id]`
    AccountId,
    /// `account[subdomain]`
    Subdomain,
    /// `leads[action][n]...`, under an action that concerns us; or a lead that came out of "unsorted".
    Lead(Action, Index, LeadField),
    /// `unsorted[delete][n][action]`: what ended entry `n`.
    UnsortedEnd(Index),
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

/// The `n` of an entry, and a second one where the level is doubled. `[]`, "the next", has no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Index {
    number: Option<u64>,
    inner: Option<u64>,
}

impl Index {
    fn new(text: &str) -> Self {
        Self { number: index_number(text), inner: None }
    }

    fn with_inner(text: &str, inner: &str) -> Self {
        Self { number: index_number(text), inner: index_number(inner) }
    }

    /// The entry around a lead of it.
    pub(super) fn outer(self) -> Self {
        Self { inner: None, ..self }
    }

    /// The entry as a person would look for it in the body.
    pub(super) fn entry(self, action: Action) -> String {
        let number = self.number.map(|number| number.to_string()).unwrap_or_default();
        let path = match action {
            Action::Status => "leads[status]",
            Action::Add => "leads[add]",
            Action::Restore => "leads[restore]",
            Action::Accept => "unsorted[delete]",
            Action::Update => "leads[update]",
            Action::Delete => "leads[delete]",
        };
        format!("{path}[{number}]")
    }
}

/// Numbers that are too large become one: the entry is then seen to have several ids.
fn index_number(text: &str) -> Option<u64> {
    (!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX))
}

/// The place that `key` points to; `None` when it has no brackets.
pub(super) fn place(key: &str) -> Option<Place> {
    let mut path = [""; DEPTH];
    let levels = segments(key, &mut path)?;
    Some(match &path[..levels] {
        ["account", "id", rest @ ..] if is_value(rest) => Place::AccountId,
        ["account", "subdomain", rest @ ..] if is_value(rest) => Place::Subdomain,
        // The documents have `leads[delete]=7`, and the index alone is seen too.
        ["leads", "delete"] => Place::Lead(Action::Delete, Index::new("0"), LeadField::Id),
        ["leads", "delete", index] if is_index(index) => {
            Place::Lead(Action::Delete, Index::new(index), LeadField::Id)
        }
        ["leads", action, index, field @ ..] => {
            action_of(action).map_or(Place::Elsewhere, |action| lead(action, index, field))
        }
        ["unsorted", "delete", index, field @ ..] if is_index(index) => unsorted(index, field),
        _ => Place::Elsewhere,
    })
}

fn lead(action: Action, index: &str, path: &[&str]) -> Place {
    let (index, field) = match path {
        // The level of the index is absent, the entry stands alone: `leads[status][id]`.
        _ if !is_index(index) => (Index::new("0"), field_of(index, path)),
        // The level of the index is doubled: `leads[status][0][0][id]`.
        [inner, field, rest @ ..] if is_index(inner) => {
            (Index::with_inner(index, inner), field_of(field, rest))
        }
        [field, rest @ ..] => (Index::new(index), field_of(field, rest)),
        [] => (Index::new(index), LeadField::Other),
    };
    Place::Lead(action, index, field)
}

fn unsorted(index: &str, path: &[&str]) -> Place {
    match path {
        ["action", rest @ ..] if is_value(rest) => Place::UnsortedEnd(Index::new(index)),
        ["accept_result", "leads", inner] if is_index(inner) => {
            Place::Lead(Action::Accept, Index::with_inner(index, inner), LeadField::Id)
        }
        _ => Place::Elsewhere,
    }
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
        "update" => Some(Action::Update),
        "delete" => Some(Action::Delete),
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

/// Splits `leads[status][0][id]` into `leads`, `status`, `0`, `id`, as far as `path` has room, and returns how many these
/// are. `None` when there are no well-formed brackets.
fn segments<'k>(key: &'k str, path: &mut [&'k str; DEPTH]) -> Option<usize> {
    let (root, mut rest) = key.split_at(key.find('[')?);
    path[0] = root;
    let mut levels = 1;
    while !rest.is_empty() && levels < DEPTH {
        (path[levels], rest) = rest.strip_prefix('[')?.split_once(']')?;
        levels += 1;
    }
    Some(levels)
}
