//! Which of the leads of a webhook make a deal.

use super::LeadMoved;

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
    pub fn is_foreign(&self, account_id: Option<u64>) -> bool {
        self.account_id.zip(account_id).is_some_and(|(ours, theirs)| ours != theirs)
    }

    /// Whether `lead`, in a webhook that names `account_id`, makes a deal.
    pub fn accepts(&self, account_id: Option<u64>, lead: &LeadMoved) -> bool {
        !self.is_foreign(account_id)
            && self.trigger_statuses.as_ref().is_none_or(|pairs| {
                lead.pipeline_id.zip(lead.status_id).is_some_and(|stage| pairs.contains(&stage))
            })
    }
}
