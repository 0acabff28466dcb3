//! The leads that a body names, and which of them make a deal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map, hash_map};
use std::fmt;

use serde::Serialize;

use super::brackets::{Action, Index, LeadField, Place, place};

/// The longest label of a host name. Something longer is no subdomain, and is not copied into every event.
const SUBDOMAIN_LIMIT: usize = 63;

/// The data of an `amocrm/webhook` event in our own form: one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AmoCrmWebhook {
    /// The lead.
    pub lead_id: u64,
    /// The account it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<u64>,
    /// The account's name at the time. Never use it as a host to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// The pipeline the lead entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<u64>,
    /// The stage the lead entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_id: Option<u64>,
    /// The pipeline the lead left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_pipeline_id: Option<u64>,
    /// The stage the lead left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_status_id: Option<u64>,
    /// What happened to the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// When we received the webhook, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// The event that reported the lead first: the same in every event that is sent again. Absent where it does not
    /// matter, or is the id of the event itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
}

impl AmoCrmWebhook {
    /// The name of the event.
    pub const EVENT_NAME: &'static str = "amocrm/webhook";

    /// The (pipeline, status) that the lead entered. `None` where the webhook does not name both.
    pub fn stage(&self) -> Option<(u64, u64)> {
        self.pipeline_id.zip(self.status_id)
    }
}

/// Narrows the leads of webhooks. The default accepts them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// The account that is served. Webhooks that name another one are ignored.
    pub account_id: Option<u64>,
    /// The stages that make a deal, as (pipeline, status). Always compared as pairs: amoCRM uses the same
    /// ids for "won" and "lost" in every pipeline.
    pub trigger_statuses: Option<Vec<(u64, u64)>>,
}

impl LeadFilter {
    /// Whether a webhook that names `account_id` belongs to an account that is not served.
    ///
    /// One that names none does not: amoCRM's older ones name none, and leads are read from the configured
    /// account alone.
    fn is_foreign(&self, account_id: Option<u64>) -> bool {
        self.account_id.zip(account_id).is_some_and(|(ours, theirs)| ours != theirs)
    }

    /// Whether `lead` makes a deal, or may make one: where no stage is named, the lead has to be looked at.
    fn accepts(&self, lead: &AmoCrmWebhook) -> bool {
        !self.is_foreign(lead.account_id) && lead.stage().is_none_or(|stage| self.makes_deal(stage))
    }

    /// Whether a lead that is in `stage` makes a deal.
    pub fn makes_deal(&self, stage: (u64, u64)) -> bool {
        self.trigger_statuses.as_ref().is_none_or(|stages| stages.contains(&stage))
    }
}

/// What a webhook's body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The leads that make a deal, by action and then by index, each lead once.
    pub leads: Vec<AmoCrmWebhook>,
    /// Leads that were changed or deleted, which matters where they have a deal.
    pub changes: BTreeSet<Change>,
    /// How many entries were readable but belong to another account or stage.
    pub filtered_out: usize,
    /// Entries under our actions that could not be used.
    pub problems: Vec<Problem>,
    /// Whether anything in the body had the form of a webhook, of leads or of something else.
    pub is_webhook: bool,
    /// Whether there were more entries than were to be read.
    pub cut: bool,
}

/// A lead was changed or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The lead.
    pub lead_id: u64,
    /// It was deleted.
    pub deleted: bool,
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

/// The decoded fields of a body, added one by one in any order. Only what names leads is kept of them, and nothing that
/// stands in them makes it fail.
#[derive(Debug)]
pub struct Fields {
    limit: usize,
    account: Option<u64>,
    /// Older bodies name the account only in a lead.
    lead_account: Option<u64>,
    subdomain: Option<String>,
    entries: BTreeMap<(Action, Index), Entry>,
    /// Entries that make no deal. They must not take the room of those that do.
    changes: BTreeMap<(Action, Index), Entry>,
    /// Entries of "unsorted" that ended otherwise than by acceptance.
    declined: HashSet<Index>,
    is_webhook: bool,
    cut: bool,
}

impl Fields {
    /// None so far. At most `limit` entries will be read.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            account: None,
            lead_account: None,
            subdomain: None,
            entries: BTreeMap::new(),
            changes: BTreeMap::new(),
            declined: HashSet::new(),
            is_webhook: false,
            cut: false,
        }
    }

    /// Adds a field.
    pub fn add(&mut self, key: &str, value: &str) {
        let place = place(key).or_else(|| place(&encoded_twice(key)?));
        self.is_webhook |= place.is_some();
        match place {
            Some(Place::AccountId) => self.account = self.account.or(number(value)),
            Some(Place::Subdomain) if (1..=SUBDOMAIN_LIMIT).contains(&value.len()) => {
                self.subdomain.get_or_insert_with(|| value.to_owned());
            }
            Some(Place::Lead(action, index, field)) => {
                if field == LeadField::AccountId {
                    self.lead_account = self.lead_account.or(number(value));
                }
                let entries =
                    if action.makes_deal() { &mut self.entries } else { &mut self.changes };
                let full = entries.len() >= self.limit;
                match entries.entry((action, index)) {
                    btree_map::Entry::Occupied(mut entry) => entry.get_mut().set(field, value),
                    btree_map::Entry::Vacant(_) if full => self.cut = true,
                    btree_map::Entry::Vacant(entry) => {
                        entry.insert(Entry::default()).set(field, value);
                    }
                }
            }
            Some(Place::UnsortedEnd(index)) if value != "accept" => {
                if self.declined.len() < self.limit {
                    self.declined.insert(index);
                } else {
                    self.cut = true;
                }
            }
            Some(Place::UnsortedEnd(_) | Place::Subdomain | Place::Elsewhere) | None => {}
        }
    }

    /// What they say: the leads that `filter` accepts.
    ///
    /// The filter looks at every entry before a lead's entries are made one: a lead that is named under two
    /// stages counts when either of them does.
    pub fn parsed(self, filter: &LeadFilter) -> Parsed {
        let account = self.account.or(self.lead_account);
        let mut parsed = Parsed { is_webhook: self.is_webhook, cut: self.cut, ..Parsed::default() };
        if !filter.is_foreign(account) {
            let change = |((action, _), entry): ((Action, Index), Entry)| {
                let deleted = action == Action::Delete;
                Some(Change { lead_id: entry.id?.ok()?, deleted })
            };
            parsed.changes = self.changes.into_iter().filter_map(change).collect();
        }
        let mut seen = HashMap::new();
        for ((action, index), entry) in self.entries {
            if action == Action::Accept && self.declined.contains(&index.outer()) {
                continue;
            }
            match entry.lead(action, account, self.subdomain.as_deref()) {
                Err(_) if filter.is_foreign(account) => parsed.filtered_out += 1,
                Err(what) => {
                    parsed.problems.push(Problem { entry: index.entry(action), what });
                }
                Ok(lead) if !filter.accepts(&lead) => parsed.filtered_out += 1,
                Ok(lead) => match seen.entry(lead.lead_id) {
                    hash_map::Entry::Vacant(first) => {
                        first.insert(parsed.leads.len());
                        parsed.leads.push(lead);
                    }
                    // An entry that names no stage proves less: the lead may have left the stage again by the time it
                    // is looked at.
                    hash_map::Entry::Occupied(first) => {
                        let first = &mut parsed.leads[*first.get()];
                        if first.stage().is_none() && lead.stage().is_some() {
                            *first = lead;
                        }
                    }
                },
            }
        }
        parsed
    }
}

/// Relays are known to encode a body that is encoded already: `leads%5Bstatus%5D` is then what decoding gives.
fn encoded_twice(key: &str) -> Option<String> {
    let bracket = |code| key.contains(code);
    (bracket("%5B") || bracket("%5b")).then(|| {
        [("%5B", "["), ("%5b", "["), ("%5D", "]"), ("%5d", "]")]
            .iter()
            .fold(key.to_owned(), |key, (code, bracket)| key.replace(code, bracket))
    })
}

/// The fields of one `leads[action][n]`, gathered from wherever they stand in the body.
#[derive(Debug, Default)]
struct Entry {
    id: Option<Result<u64, &'static str>>,
    pipeline_id: Option<u64>,
    status_id: Option<u64>,
    old_pipeline_id: Option<u64>,
    old_status_id: Option<u64>,
}

impl Entry {
    fn set(&mut self, field: LeadField, value: &str) {
        match field {
            LeadField::Id => self.set_id(value),
            LeadField::PipelineId => self.pipeline_id = number(value),
            LeadField::StatusId => self.status_id = number(value),
            LeadField::OldPipelineId => self.old_pipeline_id = number(value),
            LeadField::OldStatusId => self.old_status_id = number(value),
            LeadField::AccountId | LeadField::Other => {}
        }
    }

    fn set_id(&mut self, value: &str) {
        let id = number(value).ok_or("its id is no positive number");
        self.id = Some(match self.id {
            Some(earlier) if earlier != id => Err("it has two different ids"),
            _ => id,
        });
    }

    fn lead(
        self,
        action: Action,
        account_id: Option<u64>,
        subdomain: Option<&str>,
    ) -> Result<AmoCrmWebhook, &'static str> {
        Ok(AmoCrmWebhook {
            lead_id: self.id.unwrap_or(Err("it has no id"))?,
            account_id,
            subdomain: subdomain.map(str::to_owned),
            pipeline_id: self.pipeline_id,
            status_id: self.status_id,
            old_pipeline_id: self.old_pipeline_id,
            old_status_id: self.old_status_id,
            action: Some(action),
            received_at: None,
            delivery_id: None,
        })
    }
}

/// An amoCRM id: digits alone, not zero, storable as a signed 64-bit integer.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse::<i64>().ok()? } else { return None };
    u64::try_from(number).ok().filter(|number| *number > 0)
}
