//! The leads that a body names, and which of them make a deal.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::brackets::{Action, Index, LeadField, Place, place};

/// The longest label of a host name. Something longer is no subdomain, and is not copied into every event.
const SUBDOMAIN_LIMIT: usize = 63;

/// The data of an `amocrm/webhook` event in our own form: one lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

    /// Whether `lead` makes a deal.
    fn accepts(&self, lead: &AmoCrmWebhook) -> bool {
        !self.is_foreign(lead.account_id)
            && self.trigger_statuses.as_ref().is_none_or(|pairs| {
                lead.pipeline_id.zip(lead.status_id).is_some_and(|stage| pairs.contains(&stage))
            })
    }
}

/// What a webhook's body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The leads that concern us, by action and then by index, each lead once.
    pub leads: Vec<AmoCrmWebhook>,
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

/// Reads the decoded `key=value` pairs of a body, in any order: the leads that `filter` accepts. Nothing that stands in
/// them makes it fail.
///
/// The filter looks at every entry before a lead's entries are made one: a lead that is named under two
/// stages counts when either of them does.
pub fn leads_matching<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    filter: &LeadFilter,
) -> Parsed {
    let mut parsed = Parsed::default();
    let (mut account, mut lead_account, mut subdomain) = (None, None, None);
    let mut entries: BTreeMap<(Action, Index<'a>), Entry> = BTreeMap::new();
    for (key, value) in pairs {
        let place = place(key);
        parsed.is_webhook |= place.is_some();
        match place {
            Some(Place::AccountId) => account = account.or(number(value)),
            Some(Place::Subdomain) if (1..=SUBDOMAIN_LIMIT).contains(&value.len()) => {
                subdomain.get_or_insert_with(|| value.to_owned());
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
    // Older bodies name the account only in a lead.
    let account = account.or(lead_account);

    let mut seen = HashSet::new();
    for ((action, index), entry) in entries {
        match entry.lead(action, account, subdomain.as_deref()) {
            Err(_) if filter.is_foreign(account) => parsed.filtered_out += 1,
            Err(what) => {
                parsed.problems.push(Problem { entry: index.entry(action), what });
            }
            Ok(lead) if !filter.accepts(&lead) => parsed.filtered_out += 1,
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
