//! amoCRM's webhooks: which leads a body names, which of them make a deal, and how an event carries them.
//!
//! The body is a hint and nothing more: it is not signed, arrives late, twice or out of order. All that is
//! taken from it is which lead to look at.

mod brackets;
mod event;
mod filter;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use event::{AmoCrmWebhook, LeadIdNotFound, leads_in_event};
pub use filter::LeadFilter;

use brackets::{Index, LeadField, Place};

/// The longest label of a host name. Something longer is no subdomain, and is not copied into every event.
const SUBDOMAIN_LIMIT: usize = 63;

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

/// A lead that was created, restored or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadMoved {
    /// The lead, never zero and within the range of a signed 64-bit integer.
    pub lead_id: u64,
    /// What happened to it.
    pub action: Action,
    /// The pipeline it is in now.
    pub pipeline_id: Option<u64>,
    /// The stage it is in now. The same number means different stages in different pipelines.
    pub status_id: Option<u64>,
    /// The pipeline it came from.
    pub old_pipeline_id: Option<u64>,
    /// The stage it came from.
    pub old_status_id: Option<u64>,
}

/// What a webhook's body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The account: `account[id]`, or in older bodies the `account_id` of a lead.
    pub account_id: Option<u64>,
    /// `account[subdomain]`. Never use it as a host to call.
    pub subdomain: Option<String>,
    /// The leads that concern us, by action and then by index, each lead once.
    pub leads: Vec<LeadMoved>,
    /// How many entries were readable but belong to another account or stage.
    pub filtered_out: usize,
    /// Entries under our actions that could not be used.
    pub problems: Vec<Problem>,
    /// Whether anything in the body had the form of a webhook, of leads or of something else.
    pub is_webhook: bool,
}

/// Why an entry of a body could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The entry, as `leads[status][0]`.
    pub entry: String,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.entry, self.what)
    }
}

/// Reads the decoded `key=value` pairs of a body, in any order. Nothing that stands in them makes it fail.
pub fn leads_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Parsed {
    leads_matching(pairs, &LeadFilter::default())
}

/// Like [`leads_of`], with only the leads that `filter` accepts.
///
/// The filter looks at every entry before a lead's entries are made one: a lead that is named under two
/// stages counts when either of them does.
pub fn leads_matching<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    filter: &LeadFilter,
) -> Parsed {
    let mut parsed = Parsed::default();
    let mut lead_account = None;
    let mut entries: BTreeMap<(Action, Index<'a>), Entry> = BTreeMap::new();
    for (key, value) in pairs {
        let place = brackets::place(key);
        parsed.is_webhook |= place.is_some();
        match place {
            Some(Place::AccountId) => parsed.account_id = parsed.account_id.or(number(value)),
            Some(Place::Subdomain) if (1..=SUBDOMAIN_LIMIT).contains(&value.len()) => {
                parsed.subdomain.get_or_insert_with(|| value.to_owned());
            }
            Some(Place::Lead(action, index, field)) => {
                let entry = entries.entry((action, index)).or_default();
                match field {
                    LeadField::Id => entry.set_id(value),
                    LeadField::PipelineId => entry.pipeline_id = number(value),
                    LeadField::StatusId => entry.status_id = number(value),
                    LeadField::OldPipelineId => entry.old_pipeline_id = number(value),
                    LeadField::OldStatusId => entry.old_status_id = number(value),
                    LeadField::AccountId => lead_account = lead_account.or(number(value)),
                    LeadField::Other => {}
                }
            }
            Some(Place::Subdomain | Place::Elsewhere) | None => {}
        }
    }
    parsed.account_id = parsed.account_id.or(lead_account);

    let mut seen = HashSet::new();
    for ((action, index), entry) in entries {
        match entry.lead(action) {
            Err(_) if filter.is_foreign(parsed.account_id) => parsed.filtered_out += 1,
            Err(what) => {
                parsed.problems.push(Problem { entry: index.entry(action), what });
            }
            Ok(lead) if !filter.accepts(parsed.account_id, &lead) => parsed.filtered_out += 1,
            Ok(lead) => {
                if seen.insert(lead.lead_id) {
                    parsed.leads.push(lead);
                }
            }
        }
    }
    parsed
}

/// The fields of one `leads[action][n]`, gathered from wherever they stand in the body.
#[derive(Default)]
struct Entry {
    id: Option<Result<u64, &'static str>>,
    pipeline_id: Option<u64>,
    status_id: Option<u64>,
    old_pipeline_id: Option<u64>,
    old_status_id: Option<u64>,
}

impl Entry {
    fn set_id(&mut self, value: &str) {
        let id = number(value).ok_or("its id is no positive number");
        self.id = Some(match self.id {
            Some(earlier) if earlier != id => Err("it has two different ids"),
            _ => id,
        });
    }

    fn lead(self, action: Action) -> Result<LeadMoved, &'static str> {
        let Self { id, pipeline_id, status_id, old_pipeline_id, old_status_id } = self;
        let lead_id = id.unwrap_or(Err("it has no id"))?;
        Ok(LeadMoved { lead_id, action, pipeline_id, status_id, old_pipeline_id, old_status_id })
    }
}

/// An amoCRM id: digits alone, not zero, storable as a signed 64-bit integer.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse::<i64>().ok()? } else { return None };
    u64::try_from(number).ok().filter(|number| *number > 0)
}
