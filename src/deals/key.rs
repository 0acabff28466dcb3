//! What makes two deals the same one.

use functions::ports::{Deal, DealKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::config::Dedupe;

/// A deal as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The row's key.
    pub(super) key: String,
    pub(super) account_id: Option<u64>,
    pub(super) lead_id: Option<u64>,
    /// A fingerprint of what the record will hold.
    pub(super) payload_hash: String,
    /// What is sent. With one record per event it carries no marker: the marker is one per lead.
    pub(super) deal: Deal,
}

impl Entry {
    pub(super) fn of(deal: &Deal, dedupe: Dedupe) -> Self {
        let account_id = match &deal.key {
            DealKey::Lead { account_id, .. } => *account_id,
            DealKey::Run(_) => None,
        };
        let (key, lead_id) = of(&deal.key, &deal.run_id, dedupe);
        let mut sent = deal.clone();
        if lead_id.is_some() && dedupe == Dedupe::Event {
            sent.key = DealKey::Run(deal.run_id.clone());
        }
        Self { key, account_id, lead_id, payload_hash: fingerprint(deal), deal: sent }
    }
}

/// The row that the run `run_id` works on, and its lead.
pub(super) fn of(deal: &DealKey, run_id: &str, dedupe: Dedupe) -> (String, Option<u64>) {
    match (deal, dedupe) {
        (DealKey::Lead { lead_id, .. }, Dedupe::Lead) => {
            (key(Some(*lead_id), None), Some(*lead_id))
        }
        (DealKey::Lead { lead_id, .. }, Dedupe::Event) => {
            (key(Some(*lead_id), Some(run_id)), Some(*lead_id))
        }
        (DealKey::Run(run), _) => (key(None, Some(run)), None),
    }
}

/// The key of a row. A lead alone does not name its account: one database serves one account, and webhooks do not
/// always tell which it is.
pub fn key(lead_id: Option<u64>, run_id: Option<&str>) -> String {
    match (lead_id, run_id) {
        (Some(lead), None) => format!("lead:{lead}"),
        (Some(lead), Some(run)) => format!("lead:{lead}:run:{run}"),
        (None, run) => format!("run:{}", run.unwrap_or_default()),
    }
}

fn fingerprint(deal: &Deal) -> String {
    let payload = json!([deal.name, deal.amount, deal.entity_id]).to_string();
    Sha256::digest(payload).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use functions::ports::{Deal, DealKey};

    use super::Entry;
    use crate::config::Dedupe;

    fn deal(key: DealKey) -> Deal {
        Deal { key, run_id: "R1".to_owned(), name: "A".to_owned(), amount: None, entity_id: None }
    }

    #[test]
    fn a_lead_is_one_deal_for_ever_or_one_for_each_event() {
        let account = |account_id| deal(DealKey::Lead { account_id, lead_id: 7 });
        for account_id in [None, Some(1), Some(2)] {
            let entry = Entry::of(&account(account_id), Dedupe::Lead);
            assert_eq!((entry.key.as_str(), &entry.deal), ("lead:7", &account(account_id)));
        }
        let entry = Entry::of(&account(None), Dedupe::Event);
        assert_eq!((entry.key.as_str(), entry.lead_id), ("lead:7:run:R1", Some(7)));
        assert_eq!(entry.deal.key, DealKey::Run("R1".to_owned()), "no marker is sent");
    }

    #[test]
    fn a_deal_without_a_lead_is_its_run() {
        let run = deal(DealKey::Run("R1".to_owned()));
        for dedupe in [Dedupe::Lead, Dedupe::Event] {
            assert_eq!(Entry::of(&run, dedupe).key, "run:R1");
        }
    }
}
