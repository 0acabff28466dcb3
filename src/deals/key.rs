//! What makes two deals the same one.

use functions::ports::{Deal, DealKey};

use crate::erp::stored_name;

/// When two deals are the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// One record for each lead, forever.
    Lead,
    /// One record for each event.
    Event,
}

/// A deal as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The row's key.
    pub(super) key: String,
    /// The amoCRM lead, if it comes from one.
    pub(super) lead_id: Option<u64>,
    /// The deal as a person would look for it.
    pub(super) name: String,
    /// What is sent. With one record per event it carries no marker: the marker is one per lead.
    pub(super) deal: Deal,
}

impl Entry {
    pub(super) fn of(deal: &Deal, dedupe: Dedupe) -> Self {
        let (key, lead_id) = identity(&deal.key, &deal.run_id, dedupe);
        let mut sent = deal.clone();
        if lead_id.is_some() && dedupe == Dedupe::Event {
            sent.key = DealKey::Run(deal.run_id.clone());
        }
        Self { key, lead_id, name: describe(deal), deal: sent }
    }
}

/// The key of the row that the run `run_id` works on, and its lead.
pub(super) fn identity(deal: &DealKey, run_id: &str, dedupe: Dedupe) -> (String, Option<u64>) {
    let (lead_id, run_id) = match (deal, dedupe) {
        (DealKey::Lead { lead_id, .. }, Dedupe::Lead) => (Some(*lead_id), None),
        (DealKey::Lead { lead_id, .. }, Dedupe::Event) => (Some(*lead_id), Some(run_id)),
        (DealKey::Run(run_id), _) => (None, Some(run_id.as_str())),
    };
    (key(lead_id, run_id), lead_id)
}

/// The key of a row. A lead alone does not name its account: one database serves one account, and webhooks do not
/// always name it.
pub(crate) fn key(lead_id: Option<u64>, run_id: Option<&str>) -> String {
    match (lead_id, run_id) {
        (Some(lead), None) => format!("lead:{lead}"),
        (Some(lead), Some(run)) => format!("lead:{lead}:run:{run}"),
        (None, run) => format!("run:{}", run.unwrap_or_default()),
    }
}

/// The deal as a person would look for it.
pub(super) fn describe(deal: &Deal) -> String {
    const LONGEST_NAME: usize = 80;
    let name: String = stored_name(&deal.name).chars().take(LONGEST_NAME).collect();
    match &deal.key {
        DealKey::Lead { lead_id, .. } => format!("deal \"{name}\" (amoCRM lead {lead_id})"),
        DealKey::Run(run) => format!("deal \"{name}\" (run {run})"),
    }
}

#[cfg(test)]
mod tests {
    use functions::ports::{Deal, DealKey};

    use super::{Dedupe, Entry};

    fn deal(key: DealKey) -> Deal {
        Deal { key, run_id: "R1".to_owned(), name: "A".to_owned(), amount: None, entity_id: None }
    }

    #[test]
    fn a_lead_is_one_deal_forever_or_one_for_each_event() {
        let account = |account_id| deal(DealKey::Lead { account_id, lead_id: 7 });
        for account_id in [None, Some(1), Some(2)] {
            let entry = Entry::of(&account(account_id), Dedupe::Lead);
            assert_eq!((entry.key.as_str(), &entry.deal), ("lead:7", &account(account_id)));
        }
        let entry = Entry::of(&account(None), Dedupe::Event);
        assert_eq!((entry.key.as_str(), entry.lead_id), ("lead:7:run:R1", Some(7)));
        assert_eq!(entry.deal.key, DealKey::Run("R1".to_owned()), "no marker is sent");
        assert_eq!(entry.name, "deal \"A\" (amoCRM lead 7)", "a person looks for the lead");
    }

    #[test]
    fn a_deal_without_a_lead_is_its_run() {
        let run = deal(DealKey::Run("R1".to_owned()));
        for dedupe in [Dedupe::Lead, Dedupe::Event] {
            assert_eq!(Entry::of(&run, dedupe).key, "run:R1");
        }
    }
}
